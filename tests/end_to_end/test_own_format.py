"""A format that the package does not know: a class and its entry in the table, and `seq2seq prepare` reads it."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from seq2seq_core.corpora.formats.base.format import Format
from seq2seq_core.corpora.formats.jsonl import JsonLines
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.corpora.terms.rows import Shape
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.compression import open_plain, unpacked
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Sifted

VOCABULARY = "man woman dog child runs sleeps sings in on under park street bridge red green small old"
Rows = list[tuple[str, str]]


class Couplets(Format):
    """Two lines, the translation below the text, and an empty line."""

    called = "a file of couplets"
    suffixes = (".couplets",)

    def has_rows(self, _source: Source, url: str, /) -> bool:
        with open_plain(url) as stream:
            return bool(stream.read(1))

    def read(self, part: Part, files: Sequence[Watched], _max_line_bytes: int, /) -> Iterator[Sifted]:
        text = unpacked(files[0], part.source.urls[0]).read(1 << 30).decode()
        sides = zip(*(couplet.split("\n") for couplet in text.rstrip("\n").split("\n\n")), strict=True)
        yield Shape().finish(1, [pa.array(side, pa.string()) for side in sides], [])


class Manifest(JsonLines):
    """Objects with fields of other names; blank lines, cuts, seals and what is wrong with a line are as they are."""

    called = "a manifest"
    suffixes = (".manifest",)
    default_fields = ("heard", "text")


def sentences() -> Rows:
    draw, words = random.Random(5), VOCABULARY.split()
    sides = [" ".join(draw.choices(words, k=draw.randint(4, 9))) for _ in range(300)]
    return [(side, side[::-1]) for side in sides]


def couplets(rows: Rows) -> bytes:
    return "\n\n".join("\n".join(row) for row in rows).encode() + b"\n"


def manifest(rows: Rows) -> bytes:
    return "".join(json.dumps({"heard": source, "text": target}) + "\n" for source, target in rows).encode()


def prepare(output: Path, corpus: dict[str, str]) -> dict[str, Any]:
    """The ledger, and the tokens of every row."""
    config = output.with_suffix(".yaml")
    settings = {"tokenizer": {"vocabulary_size": 300}, "unit_rows": 50, "shards": 2, "report": False}
    config.write_text(json.dumps(settings | {"corpora": [corpus], "output": str(output)}))
    assert main(["prepare", "--config", str(config)]) == 0
    shards = [pq.read_table(path, columns=["source", "target"]) for path in sorted((output / "train").iterdir())]
    ledger: dict[str, Any] = json.loads((output / "dataset.json").read_text())["ledger"]
    return {"ledger": ledger, "rows": sorted(map(repr, pa.concat_tables(shards).to_pylist()))}


@pytest.mark.parametrize(
    ("name", "format_", "write", "suffix"),
    [("couplets", Couplets, couplets, ".gz"), ("manifest", Manifest, manifest, "")],
)
def test_a_format_is_a_class_and_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, format_: type[Format], write: Any, suffix: str
) -> None:
    monkeypatch.setitem(FORMATS, name, format_())
    rows = sentences()
    for side, language in enumerate(("en", "de")):
        (tmp_path / f"c.{language}").write_text("".join(f"{row[side]}\n" for row in rows))
    data = write(rows)
    (tmp_path / f"c.{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)
    expected = prepare(tmp_path / "pair", {"source": str(tmp_path / "c.en"), "target": str(tmp_path / "c.de")})
    found = prepare(tmp_path / "own", {"path": str(tmp_path / f"c.{name}{suffix}")})
    assert found == expected
    assert expected["ledger"]["read"] == len(rows)
