"""Archives are read whole, and damaged ones are named."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from seq2seq_core.errors import InputError
from seq2seq_core.text.reading.compression import codec_of, open_plain, without_codec

TEXT = b"".join(b"line %d of some text\n" % (i * i) for i in range(20_000))
PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def read(path: Path) -> bytes:
    found = b""
    with open_plain(str(path)) as stream:
        while block := stream.read(50_000):
            found += block
    return found


@pytest.mark.parametrize("suffix", PACK)
def test_two_archives_one_after_the_other_are_one_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"corpus{suffix}"
    path.write_bytes(PACK[suffix](TEXT) + PACK[suffix](b"") + PACK[suffix](b"the end"))
    assert read(path) == TEXT + b"the end"


@pytest.mark.parametrize("suffix", PACK)
def test_a_truncated_archive_is_named_with_how_far_it_went(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"corpus{suffix}"
    packed = PACK[suffix](TEXT)
    path.write_bytes(packed[: len(packed) - 10])
    with pytest.raises(InputError, match=rf"corpus\{suffix}: the archive is truncated .* after \d+ lines, \d+ bytes"):
        read(path)


@pytest.mark.parametrize("suffix", PACK)
def test_something_else_under_the_name_of_an_archive_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"corpus{suffix}"
    path.write_bytes(TEXT)
    with pytest.raises(InputError, match="after 0 lines"):
        read(path)


def test_a_range_of_a_plain_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"0123456789")
    with open_plain(str(tmp_path / "plain"), 2, 5) as stream:
        assert stream.read(2) + stream.read(99) + stream.read(99) == b"234"


def test_suffixes() -> None:
    assert [codec_of(name) for name in ("a.GZ", "a.zst", "a.txt")] == ["gzip", "zstd", None]
    assert [without_codec(name) for name in ("a.tsv.xz", "a.jsonl")] == ["a.tsv", "a.jsonl"]
