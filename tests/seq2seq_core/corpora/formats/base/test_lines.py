"""One pass over a file of lines: counts, fingerprint and cuts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.lines import index_lines
from seq2seq_core.errors import InputError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(st.sampled_from([b"a", b"\n", b"long line", b"\r\n"]), min_size=1, max_size=60).map(b"".join),
    every=st.integers(1, 7),
    block=st.integers(1, 30),
)
def test_cuts_stand_at_every_nth_line(tmp_path: Path, data: bytes, every: int, block: int) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(data)
    index = index_lines(str(path), every, block)
    lines = [line for line in data.replace(b"\n", b"\n\0").split(b"\0") if line]
    expected = [len(b"".join(lines[:i])) for i in range(0, len(lines), every)] + [len(data)]
    assert (index.lines, list(index.cuts), index.bytes) == (len(lines), expected, len(data))
    assert list(index.starts) == [*range(0, len(lines), every), len(lines)]
    assert index.fingerprint == storage.digest_bytes(data)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").touch()
    with pytest.raises(InputError, match=r"corpus\.txt: the file is empty"):
        index_lines(str(tmp_path / "corpus.txt"), 10)
