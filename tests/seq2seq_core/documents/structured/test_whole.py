from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from seq2seq_core.documents import content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import FORMATS, format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, UnitSize
from seq2seq_core.errors import InputError

FIELDS = Fields("text", "translation")
SIZE = UnitSize(1, 1)
WHOLE = [name for name, known in FORMATS.items() if known.is_whole]


def test_a_document_is_one_unit_of_as_many_records_as_it_has_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.md.gz"
    path.write_bytes(gzip.compress(b"# One\n\ntwo\n"))
    file = InputFile(str(path), "a", ".md.gz", "markdown")
    counted = format_of(file).count(file, SIZE, FIELDS)
    (part,) = counted.ranges
    assert (part.records, part.bytes, counted.bytes) == (2, 11, path.stat().st_size)
    found = format_of(file).read(file, part, FIELDS)
    assert (found.texts, found.is_prose) == (["One", "two"], True)
    out = format_of(file).render(file, found, [Prediction("Eins"), None], FIELDS)
    assert gzip.decompress(out) == b"# Eins\n\ntwo\n"


@pytest.mark.parametrize("name", WHOLE)
def test_what_cannot_be_read_is_a_record_that_failed_and_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff\xfe\xff")
    file = InputFile(str(path), "a", "", name)
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert (part.records, found.texts, len(found.failures)) == (1, [None], 1)
    assert format_of(file).render(file, found, [None], FIELDS) == b"\xff\xfe\xff"


def test_what_is_too_large_keeps_an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.documents.structured.whole.MAX_RECORD_BYTES", 5)
    path = tmp_path / "a.md"
    path.write_bytes(b"too long")
    file = InputFile(str(path), "a", ".md", "markdown")
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert [failure.reason for failure in found.failures] == ["longer than 0 MiB"]
    assert (part.records, part.bytes, format_of(file).render(file, found, [None], FIELDS)) == (1, 8, b"")
    assert content.MAX_RECORD_BYTES > 5


def test_a_document_that_has_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"one")
    file = InputFile(str(path), "a", ".md", "markdown")
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    path.write_bytes(b"two")
    with pytest.raises(InputError, match="has changed since it was counted"):
        format_of(file).read(file, part, FIELDS)


@pytest.mark.parametrize("name", WHOLE)
def test_no_document_comes_of_nothing_but_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    file = InputFile(str(path), "a", "", name)
    (part,) = format_of(file).count(file, SIZE, FIELDS).ranges
    found = format_of(file).read(file, part, FIELDS)
    assert format_of(file).render(file, found, [None] * part.records, FIELDS) == b""
