"""The lines of whole files: every line end, every encoding that has a mark, and what is no text."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.files.segments import read_segments


def test_files_and_globs_are_one_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"three\n") + gzip.compress(b"\n") + bytes(512))
    (tmp_path / "c.txt").write_bytes("fünf\r\n\u2028\n".encode("utf-16"))
    (tmp_path / "d.txt").touch()
    assert read_segments([str(tmp_path / "*.txt*")]) == ["one", "two", "three", "", "fünf", "\u2028"]
    assert read_segments([str(tmp_path / "c.txt"), str(tmp_path / "a.txt")]) == ["fünf", "\u2028", "one", "two"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"one\nt\xffo\n", "a.txt:2: the line cannot be read; found byte 0xff at 2; expected UTF-8"),
        ("a.txt", "one\ntwo\n".encode("utf-16-be"), "a.txt: the text is UTF-16 without a byte order mark"),
        ("a.txt", b"one\rtwo\r", "a.txt: the lines end in carriage returns alone"),
        ("a.txt", gzip.compress(b"one\n", mtime=0), "a.txt: the file is a gzip archive"),
        ("a.bz2", b"one\n", "a.bz2: the archive is truncated or corrupt; found no bz2 archive"),
        (
            "a.gz",
            gzip.compress(b"one\n", mtime=0) + b"x",
            "a.gz: the archive .* behind the end of a stream, .* after 1 lines",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_segments([str(tmp_path / name)])
    with pytest.raises(StorageError, match="no such file"):
        read_segments([str(tmp_path / "none")])
