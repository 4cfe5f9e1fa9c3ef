"""A format of documents that this project does not have: one class, and one entry in the table, is all it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.cli import main
from seq2seq_core import storage
from seq2seq_core.documents.content import Content, RecordFailure
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.formats.table import FORMATS
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize, changed
from seq2seq_core.inference.manifest import load_output

COMMA = b","


class CardsFormat(DocumentFormat):
    """Texts between commas, each of which may have a note behind a bar: `text|note,text,`."""

    called = "a box of cards"
    suffixes = (".cards", ".card")

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        del fields
        data = storage.read_bytes(file.url)
        cards = data.removesuffix(COMMA).split(COMMA)
        firsts = range(0, len(cards), size.records)
        parts = [cards[first : first + size.records] for first in firsts]
        ranges = [RecordRange(f, len(p), digest=self._digest(p)) for f, p in zip(firsts, parts, strict=True)]
        return CountedInput(file, storage.digest_bytes(data), len(data), tuple(ranges))

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[list[bytes]]:
        del fields
        cards = storage.read_bytes(file.url).split(COMMA)[part.first : part.first + part.records]
        if self._digest(cards) != part.digest:
            raise changed(file, part, self._digest(cards), part.digest, "cards")
        texts = [card.split(b"|")[0].decode() for card in cards]
        failures = [RecordFailure(at, "a card without text", "") for at, text in enumerate(texts) if not text]
        return Content([text or None for text in texts], failures, cards)

    def render(
        self,
        file: InputFile,
        content: Content[list[bytes]],
        predictions: Sequence[Prediction | None],
        fields: Fields,
    ) -> bytes:
        del file
        rows = zip(content.carrier, predictions, strict=True)
        made = [f"{fields.output}={found.text}".encode() if found else b"" for _, found in rows]
        return b"".join(b"%s|%s," % pair for pair in zip(content.carrier, made, strict=True))

    @staticmethod
    def _digest(cards: list[bytes]) -> str:
        return storage.digest_bytes(COMMA.join(cards))


def test_a_set_in_a_new_format_is_translated(
    echo_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(FORMATS, "cards", CardsFormat())
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.cards").write_bytes(b"one|first,two,|odd,")
    (tmp_path / "in" / "deep" / "b.card").write_bytes(b"three,")
    (tmp_path / "in" / "c.txt").write_bytes(b"four\n")
    out = tmp_path / "out"
    words = ["translate", "--model", echo_model, "--input", str(tmp_path / "in"), "--output", str(out)]
    words += ["--engine.kind", "echo", "--unit_records", "2"]
    assert main(words) == 3
    assert "1 of 5 records were not translated" in capsys.readouterr().err
    assert (out / "a-00000-of-00002.cards").read_bytes() == b"one|first|translation=one,two|translation=two,"
    assert (out / "a-00001-of-00002.cards").read_bytes() == b"|odd|,"
    assert (out / "deep" / "b-00000-of-00001.card").read_bytes() == b"three|translation=three,"
    assert '"record": 2, "reason"' in (out / "failures" / "a-00001-of-00002.cards.jsonl").read_text()
    assert [entry.format for entry in load_output(str(out)).inputs] == ["cards", "text", "cards"]
    (tmp_path / "in" / "d.cards.gz").write_bytes(b"")
    assert main(words) == 1
    assert "a box of cards is compressed inside, never as a file" in capsys.readouterr().err
    assert main([*words, "--include", "score"]) == 1
    (tmp_path / "in" / "d.cards.gz").unlink()
    assert main([*words, "--include", "score"]) == 2
    assert "this format has no place for more fields: text" in capsys.readouterr().err
