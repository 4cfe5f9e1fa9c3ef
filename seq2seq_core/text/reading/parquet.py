"""A Parquet file in, its row groups as places to cut, and the rows of a range of row groups out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from seq2seq_core import storage
from seq2seq_core.text.reading.columns import BATCH_BYTES, Column, find_columns, pick_rows
from seq2seq_core.text.reading.damage import FAILURES, check_names, damaged
from seq2seq_core.text.reading.rows import Shape
from seq2seq_core.text.records import Sifted

_READ_BYTES = 1 << 20
_MOST_BATCH_ROWS = 1 << 16


def read_schema(url: str) -> pa.Schema:
    """The columns of a file; an InputError when the file is damaged."""
    with _open(url) as file:
        return file.schema_arrow


def count_rows(url: str) -> list[int]:
    """The number of rows of every row group; an InputError when the file is damaged."""
    with _open(url) as file:
        rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        if sum(rows) != file.metadata.num_rows or min(rows, default=0) < 0:
            error = EOFError(f"{sum(rows)} rows in row groups, {file.metadata.num_rows} in all")
            raise damaged("Parquet", url, error, "in the footer at its end, before any row")
    return rows


def read_row_groups(
    url: str, groups: tuple[int, int | None], fields: Sequence[str], shape: Shape, first_line: int, max_bytes: int
) -> Iterator[Sifted]:
    """The rows of row groups `begin` to `end` in order; memory stays at a batch, however large a row group is.

    Args:
        url: The file.
        groups: Begin and end; an end of None means all the rest.
        fields: Columns of the texts and the score; see `fields`.
        shape: What the columns are.
        first_line: Number of the first row, from 1.
        max_bytes: Longer texts are unreadable.

    Raises:
        InputError: A column is missing or of another type, or the file is damaged (it says how far it was readable).
    """
    line = first_line
    with _open(url) as file:
        columns = find_columns(file.schema_arrow, fields, shape, storage.redact(url))
        chosen = range(groups[0], file.num_row_groups if groups[1] is None else groups[1])
        try:
            batches = _batches(file, chosen, columns)
            for sifted in pick_rows(batches, columns, shape, line, max_bytes):
                yield sifted
                line += sifted.read
            expected = sum(file.metadata.row_group(group).num_rows for group in chosen)
            if line - first_line != expected:
                raise EOFError(f"{line - first_line} rows instead of {expected}")
        except FAILURES as error:
            raise damaged("Parquet", url, error, f"after row {line - 1}") from None


def _batches(file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """The columns that are needed, one row group after the other: some types are not read across the borders.

    A batch has as many rows as make a few megabytes, by what the footer says of the size of the row group. (Sizes of
    its columns are not asked for: `ColumnChunkMetaData` ends the process on some damaged footers, pyarrow 25.)
    """
    branches = sorted({column.branch for column in columns})
    for group in groups:
        entry = file.metadata.row_group(group)
        rows = max(1, min(_MOST_BATCH_ROWS, BATCH_BYTES * entry.num_rows // max(1, entry.total_byte_size)))
        yield from file.iter_batches(rows, row_groups=[group], columns=branches, use_threads=False)


@contextlib.contextmanager
def _open(url: str) -> Iterator[pq.ParquetFile]:
    with storage.open_input(url) as raw:
        try:
            file = pq.ParquetFile(raw, buffer_size=_READ_BYTES, pre_buffer=False, page_checksum_verification=True)
            check_names(file.schema_arrow)
        except FAILURES as error:
            raise damaged("Parquet", url, error, "in the footer at its end, before any row") from None
        with file:
            yield file
