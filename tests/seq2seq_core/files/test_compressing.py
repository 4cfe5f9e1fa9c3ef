from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.files.compression import codec_of, compress, open_plain

SUFFIXES = ["", ".gz", ".zst", ".bz2", ".xz"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_frames_one_after_the_other_are_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    parts = [b"one\n", b"two\n" * 100_000, b""]
    path.write_bytes(b"".join(compress(part, codec_of(path.name)) for part in parts))
    with open_plain(str(path)) as plain:
        assert b"".join(iter(lambda: plain.read(1 << 20), b"")) == b"".join(parts)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.binary(max_size=200))
def test_equal_data_give_equal_bytes(suffix: str, data: bytes) -> None:
    assert compress(data, codec_of(f"a{suffix}")) == compress(data, codec_of(f"a{suffix}"))


def test_no_clock_stands_in_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compress(b"one", "gzip")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert compress(b"one", "gzip") == before
