"""A Parquet file in, the unit in which its old timestamps (INT96) are read out, for each to be the date it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seq2seq_core.documents.ranges import InputFile, TimestampUnit
from seq2seq_core.documents.row_groups import open_file
from seq2seq_core.errors import InputError
from seq2seq_core.files.damage import FAILURES, damaged

_UNITS: tuple[Literal["s", "us", "ns"], ...] = ("s", "us", "ns")
_Instants = npt.NDArray[np.int64]


def choose_unit(file: InputFile, stored: IO[bytes], parquet: pq.ParquetFile) -> TimestampUnit:
    """Nanoseconds, or microseconds where dates before 1677 or after 2262 make nanoseconds overflow.

    Seconds hold every date, so they tell where another unit does not.

    Raises:
        InputError: Neither unit holds every timestamp, or they cannot be read.
    """
    columns = [parquet.schema.column(place) for place in range(len(parquet.schema))]
    names = sorted({column.path.split(".")[0] for column in columns if column.physical_type == "INT96"})
    if not names:
        return "ns"
    usable: set[TimestampUnit] = {"ns", "us"}
    readers = [open_file(stored, unit) for unit in _UNITS]
    for group in range(parquet.num_row_groups):
        try:
            tables = [reader.read_row_group(group, columns=names, use_threads=False) for reader in readers]
        except FAILURES as error:
            raise damaged("Parquet", file.url, error, f"in row group {group}, the timestamps") from None
        for name in tables[0].column_names:
            usable &= _usable(*(table.column(name) for table in tables))
            if not usable:
                raise InputError(
                    f"the timestamps of the column {name!r} are too far apart for one unit",
                    where=file.where,
                    found="fractions of microseconds beside dates before 1677 or after 2262",
                    advice="Write them as microseconds (Spark: outputTimestampType TIMESTAMP_MICROS).",
                )
    return "ns" if "ns" in usable else "us"


def _usable(*readings: pa.ChunkedArray) -> set[TimestampUnit]:
    """The units that hold every timestamp of a column, which was read as seconds, micro- and nanoseconds."""
    usable: set[TimestampUnit] = {"ns", "us"}
    for seconds, micro, nano in _instants([reading.combine_chunks() for reading in readings]):
        whole = micro // 1_000_000 == seconds
        if not np.all(whole & (nano // 1000 == micro)):
            usable.discard("ns")
        # The product overflows as the nanoseconds did: where they differ, microseconds have lost something.
        if not np.all(whole & (micro * 1000 == nano)):
            usable.discard("us")
    return usable


def _instants(readings: Sequence[pa.Array]) -> Iterator[list[_Instants]]:
    """The numbers of all timestamps the readings differ in, whatever these stand in."""
    kind = readings[0].type
    if pa.types.is_timestamp(kind):
        if kind != readings[-1].type:
            numbers = (pc.fill_null(reading.cast(pa.int64()), 0) for reading in readings)
            yield [column.to_numpy(zero_copy_only=False) for column in numbers]
    elif pa.types.is_map(kind):
        yield from _instants([reading.keys for reading in readings])
        yield from _instants([reading.items for reading in readings])
    elif pa.types.is_struct(kind):
        for inner in zip(*(reading.flatten() for reading in readings), strict=True):
            yield from _instants(inner)
    elif pa.types.is_nested(kind):
        yield from _instants([pc.list_flatten(reading) for reading in readings])
