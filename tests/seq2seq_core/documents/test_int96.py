from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.inputs import find_inputs
from seq2seq_core.documents.formats.parquet import count_rows, read_rows
from seq2seq_core.documents.ranges import InputFile, RecordRange, UnitSize
from seq2seq_core.errors import InputError

FIELDS = Fields("text", "translation")
MICROSECONDS = st.datetimes().map(lambda date: round((date - dt.datetime(1970, 1, 1)) / dt.timedelta(microseconds=1)))


def write(path: Path, columns: dict[str, pa.Array], **options: Any) -> InputFile:
    texts = [str(i) for i in range(len(next(iter(columns.values()))))]
    table = pa.table({"text": pa.array(texts, pa.string()), **columns})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, row_group_size=2, **options)
    return find_inputs([str(path)], None, "elsewhere")[0]


def parts_of(file: InputFile) -> tuple[RecordRange, ...]:
    return count_rows(file, UnitSize(3, 1), FIELDS).ranges


def read(file: InputFile, column: str) -> pa.ChunkedArray:
    tables = [read_rows(file, part, FIELDS).carrier for part in parts_of(file)]
    return pa.concat_tables(tables).column(column)


@given(micro=st.lists(st.none() | MICROSECONDS, max_size=9))
def test_every_date_is_what_it_was_and_the_unit_is_one(
    tmp_path_factory: pytest.TempPathFactory, micro: list[int | None]
) -> None:
    until = pa.array(micro, pa.timestamp("us"))
    file = write(tmp_path_factory.mktemp("int96") / "a.parquet", {"until": until})
    found = read(file, "until")
    if all(abs(value) < 9_200_000_000_000_000 for value in micro if value is not None):
        assert found.type == pa.timestamp("ns")
    assert found.cast(pa.timestamp("us")).combine_chunks().equals(until)


@given(nano=st.lists(st.none() | st.integers(-(1 << 63) + 1, (1 << 63) - 1), max_size=9))
def test_nanoseconds_stay_nanoseconds(tmp_path_factory: pytest.TempPathFactory, nano: list[int | None]) -> None:
    until = pa.array(nano, pa.timestamp("ns"))
    file = write(tmp_path_factory.mktemp("int96") / "a.parquet", {"until": until})
    assert {part.int96 for part in parts_of(file)} == {"ns"}
    assert read(file, "until").combine_chunks().equals(until)


LATE = pa.array([253402214400000000, None, 0], pa.timestamp("us"))


@pytest.mark.parametrize(
    "column",
    [
        pa.ListArray.from_arrays([0, 1, 2, 3], LATE),
        pa.StructArray.from_arrays([LATE, pa.array([1, 2, 3])], ["at", "n"]),
        pa.MapArray.from_arrays([0, 1, 2, 3], pa.array(["a", "b", "c"]), LATE),
        pa.ListArray.from_arrays([0, 0, 2, 3], pa.StructArray.from_arrays([LATE], ["at"])),
    ],
)
def test_dates_inside_other_columns(tmp_path: Path, column: pa.Array) -> None:
    file = write(tmp_path / "a.parquet", {"inner": column})
    assert {part.int96 for part in parts_of(file)} == {"us"}
    assert read(file, "inner").to_pylist() == column.to_pylist()


def test_one_late_date_decides_for_the_whole_file(tmp_path: Path) -> None:
    until = pa.array([0, 1, 2, 3, 253402214400000000], pa.timestamp("us"))
    file = write(
        tmp_path / "a.parquet",
        {"until": until, "other": until.slice(0, 4).cast(pa.timestamp("us")).take([0, 1, 2, 3, 0])},
    )
    assert {part.int96 for part in parts_of(file)} == {"us"}


def test_what_no_unit_holds_is_refused_with_its_column(tmp_path: Path) -> None:
    fine, late = pa.array([1, 2, 3], pa.timestamp("ns")), LATE
    file = write(tmp_path / "a.parquet", {"fine": fine, "late": late})
    with pytest.raises(InputError, match=r"a\.parquet: the timestamps of the column 'late' are too far apart"):
        parts_of(file)


def test_other_timestamps_are_none_of_its_business(tmp_path: Path) -> None:
    late = pa.array([253402214400000000, 1], pa.timestamp("us"))
    pq.write_table(pa.table({"text": ["a", "b"], "late": late}), tmp_path / "a.parquet")
    (file,) = find_inputs([str(tmp_path / "a.parquet")], None, "elsewhere")
    assert {part.int96 for part in parts_of(file)} == {"ns"}
    assert read(file, "late").combine_chunks().equals(late)


def test_a_date_beyond_microseconds_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path / "a.parquet", {"until": pa.array([5], pa.timestamp("ns"))}, compression="none", use_dictionary=False
    )
    data = (tmp_path / "a.parquet").read_bytes()
    value = (5).to_bytes(8, "little") + (2440588).to_bytes(4, "little")
    assert data.count(value) == 1
    (tmp_path / "a.parquet").write_bytes(data.replace(value, value[:8] + (1 << 30).to_bytes(4, "little")))
    (file,) = find_inputs([str(tmp_path / "a.parquet")], None, "elsewhere")
    with pytest.raises(InputError, match="the timestamps of the column 'until'"):
        parts_of(file)
