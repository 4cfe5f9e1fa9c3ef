from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.documents import ranges as ranges_module
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize, cut_lines, cut_rows
from seq2seq_core.errors import InputError

FIELDS = Fields("text", "translation")
DATA = st.lists(st.sampled_from([b"\n", b"a", b"bb\n", b"\r\n", b"\x0c", "\u2028\n".encode()]), max_size=40).map(
    b"".join
)


def one(path: Path) -> InputFile:
    return find_inputs([str(path)], None, "elsewhere")[0]


def counted(path: Path, size: UnitSize) -> CountedInput:
    file = one(path)
    return format_of(file).count(file, size, FIELDS)


def plain_cut(data: bytes, size: UnitSize) -> list[bytes]:
    """The same rule, line by line: a unit is closed after so many records or when it reaches so many bytes."""
    units, current = [], []
    for line in data.split(b"\n")[:-1]:
        current.append(line + b"\n")
        if len(current) == size.records or len(b"".join(current)) >= size.bytes:
            units.append(b"".join(current))
            current = []
    last = data.split(b"\n")[-1]
    if current or last or not units:
        units.append(b"".join(current) + last)
    return units


@given(data=DATA, records=st.integers(1, 7), size=st.integers(1, 30), block=st.integers(1, 9))
def test_ranges_are_what_a_plain_reading_gives(data: bytes, records: int, size: int, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges_module, "BLOCK_BYTES", block)
        ranges = cut_lines(io.BytesIO(data), UnitSize(records, size))
    units = plain_cut(data, UnitSize(records, size))
    assert [data[part.offset : part.offset + part.bytes] for part in ranges] == units
    assert [part.digest for part in ranges] == [storage.digest_bytes(unit) for unit in units]
    counts = [unit.count(b"\n") + (not unit.endswith(b"\n") and unit != b"") for unit in units]
    assert [part.records for part in ranges] == counts
    assert [part.first for part in ranges] == [sum(counts[:i]) for i in range(len(counts))]


@given(rows=st.integers(0, 50), records=st.integers(1, 9))
def test_rows_are_cut_without_gap_or_overlap(rows: int, records: int) -> None:
    ranges = cut_rows(rows, UnitSize(records, 1))
    covered = [row for part in ranges for row in range(part.first, part.first + part.records)]
    assert covered == list(range(rows))
    assert all(part.records == records for part in ranges[:-1])
    assert len(ranges) == max(1, -(-rows // records))


def test_fingerprint_and_size_are_those_of_the_stored_bytes(tmp_path: Path) -> None:
    packed = gzip.compress(b"one\ntwo\nthree")
    for name, data in (("a.txt", b"one\ntwo\nthree"), ("a.txt.gz", packed)):
        (tmp_path / name).write_bytes(data)
        found = counted(tmp_path / name, UnitSize(2, 1000))
        assert (found.fingerprint, found.bytes, found.records) == (storage.digest_bytes(data), len(data), 3)
        digests = [storage.digest_bytes(part) for part in (b"one\ntwo\n", b"three")]
        assert found.ranges == (RecordRange(0, 2, 0, 8, digests[0]), RecordRange(2, 1, 8, 5, digests[1]))


def test_parquet_is_cut_by_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": list("abcde")}), tmp_path / "a.parquet", row_group_size=2)
    found = counted(tmp_path / "a.parquet", UnitSize(3, 1))
    assert [(part.first, part.records) for part in found.ranges] == [(0, 3), (3, 2)]
    assert found.fingerprint == storage.digest_file(str(tmp_path / "a.parquet"))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no table")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n" * 9999)[:-9])
    for name in ("a.parquet", "a.txt.gz"):
        with pytest.raises(InputError, match=name):
            counted(tmp_path / name, UnitSize(2, 1000))


def test_what_is_counted_is_small_however_large_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n" * 100_000)
    pq.write_table(pa.table({"text": ["one"] * 100_000}), tmp_path / "a.parquet", row_group_size=1000)
    for name in ("a.txt", "a.parquet"):
        found = counted(tmp_path / name, UnitSize(1000, 1 << 20))
        assert len(found.ranges) == 100
        assert len(pickle.dumps(found)) < 100 * 150
