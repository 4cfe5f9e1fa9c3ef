"""One pass over the files of a source: what is noticed before work starts, and where parts begin."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.text.reading import cutting
from seq2seq_core.text.reading.cutting import cut, index_source


def pair(folder: Path, source: bytes, target: bytes, suffix: str = "") -> dict[str, str]:
    pack = gzip.compress if suffix else bytes
    (folder / f"c.en{suffix}").write_bytes(pack(source))
    (folder / "c.de").write_bytes(target)
    return {"source": str(folder / f"c.en{suffix}"), "target": str(folder / "c.de")}


def test_both_sides_are_cut_at_the_same_lines(tmp_path: Path, reading: Any) -> None:
    source = reading.source(**pair(tmp_path, b"a\n\nbcd\ne", b"long\nlonger\nx\ny\n"))
    parts = cut(source, index_source(source, 2, 100))
    assert [(part.ranges, part.first_line) for part in parts] == [(((0, 3), (0, 12)), 1), (((3, 8), (12, 16)), 3)]


def test_fingerprints_are_those_of_all_bytes(tmp_path: Path, reading: Any) -> None:
    source = reading.source(**pair(tmp_path, b"a\nb\n", b"c\nd"))
    found = index_source(source, 1, 100)
    assert [index.fingerprint for index in found] == [storage.digest_bytes(b"a\nb\n"), storage.digest_bytes(b"c\nd")]


def test_unequal_sides_are_found_before_work_starts(tmp_path: Path, reading: Any) -> None:
    with pytest.raises(InputError, match=r"c\.en has 3 lines and .*c\.de has 2 lines"):
        index_source(reading.source(**pair(tmp_path, b"a\nb\nc", b"a\nb\n")), 10, 100)


@pytest.mark.parametrize("name", ["c.tsv", "c.jsonl.gz", "c.tmx", "c.parquet", "c.arrow"])
def test_an_empty_file_is_an_error(tmp_path: Path, reading: Any, name: str) -> None:
    (tmp_path / name).touch()
    source = reading.source(path=str(tmp_path / name), source_language="en", target_language="de")
    with pytest.raises(InputError, match=name):
        index_source(source, 10, 100)


def test_a_large_file_that_cannot_be_cut_is_told(
    tmp_path: Path, reading: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cutting, "_LARGE_BYTES", 30)
    caplog.set_level(logging.WARNING)
    (tmp_path / "c.tmx").write_text("<tmx><body></body></tmx>" + " " * 20)
    tmx = reading.source(path=str(tmp_path / "c.tmx"), source_language="en", target_language="de")
    packed = reading.source(**pair(tmp_path, b"a\n" * 99, b"b\n" * 99, ".gz"))
    for source in (tmx, packed):
        (part,) = cut(source, index_source(source, 1, 100))
        assert (set(part.ranges), part.first_line) == ({(0, None)}, 1)
    assert "c.tmx: 0.0 GB of TMX are read by one worker as one stream; in several files, by many" in caplog.messages[0]
    assert "c.en.gz: 0.0 GB of compressed" in caplog.messages[1]
