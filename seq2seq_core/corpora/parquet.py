"""A Parquet file in, its row groups as places to cut, and the rows of a range of row groups out."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from seq2seq_core import storage
from seq2seq_core.corpora.columns import BATCH_BYTES, Column, find_columns, pick_rows
from seq2seq_core.corpora.rows import Shape
from seq2seq_core.files.damage import FAILURES, check_names, damaged
from seq2seq_core.files.parquet_footer import column_spans, read_footer
from seq2seq_core.files.seal import Extent, Stored, Watched, size_of
from seq2seq_core.records import Sifted

_READ_BYTES = 1 << 20
_MOST_BATCH_ROWS = 1 << 16
_FOOTER = "in the footer at its end, before any row"


class Layout(NamedTuple):
    """Where the rows of a file stand, as its footer tells.

    Attributes:
        size: Of the file in bytes.
        footer: Its last bytes.
        rows: Number of rows of every row group.
        columns: Begin and end of the bytes of every column that rows are made of, for every row group.
    """

    size: int
    footer: bytes
    rows: tuple[int, ...]
    columns: tuple[tuple[tuple[int, int], ...], ...]


def read_schema(url: str) -> pa.Schema:
    """The columns of a file; an InputError when the file is damaged."""
    with storage.open_input(url) as stored, _open(stored, url) as opened:
        return opened.file.schema_arrow


def count_rows(url: str) -> list[int]:
    """The number of rows of every row group; an InputError when the file is damaged."""
    with storage.open_input(url) as stored, _open(stored, url) as opened:
        return _count(opened.file, url)


def read_layout(stored: Stored, url: str, fields: Sequence[str], shape: Shape) -> Layout:
    """Read the footer of an open file.

    Raises:
        InputError: The file is damaged, or lacks a column.
    """
    with _open(stored, url) as opened:
        columns = find_columns(opened.file.schema_arrow, fields, shape, storage.redact(url))
        return Layout(opened.size, opened.footer, tuple(_count(opened.file, url)), _spans(opened, columns, url))


def read_row_groups(
    stored: Watched,
    url: str,
    groups: tuple[int, int | None],
    fields: Sequence[str],
    shape: Shape,
    first_line: int,
    max_bytes: int,
) -> Iterator[Sifted]:
    """The rows of row groups `begin` to `end` in order; memory stays at a batch, however large a row group is.

    Args:
        stored: The file, open; it is told which bytes are going to be read.
        url: Its name.
        groups: Begin and end; an end of None means all the rest.
        fields: Columns of the texts and the score; see `fields`.
        shape: What the columns are.
        first_line: Number of the first row, from 1.
        max_bytes: Longer texts are unreadable.

    Raises:
        InputError: A column is missing or of another type, or the file is damaged (it says how far it was readable).
    """
    line = first_line
    with _open(stored, url) as opened:
        file = opened.file
        stored.note(opened.footer)
        columns = find_columns(file.schema_arrow, fields, shape, storage.redact(url))
        chosen = range(groups[0], file.num_row_groups if groups[1] is None else groups[1])
        try:
            spans = _spans(opened, columns, url)
            if chosen.stop > len(spans):
                raise EOFError(f"{len(spans)} row groups instead of {chosen.stop} or more")
            stored.expect(*([Extent(*span) for span in spans[group]] for group in chosen))
            batches = _batches(file, chosen, columns, stored)
            for sifted in pick_rows(batches, columns, shape, line, max_bytes):
                yield sifted
                line += sifted.read
            expected = sum(file.metadata.row_group(group).num_rows for group in chosen)
            if line - first_line != expected:
                raise EOFError(f"{line - first_line} rows instead of {expected}")
        except FAILURES as error:
            raise damaged("Parquet", url, error, f"after row {line - 1}") from None


class _Opened(NamedTuple):
    """An open file, the bytes of its footer and its size."""

    file: pq.ParquetFile
    footer: bytes
    size: int


def _batches(
    file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[Column], stored: Watched
) -> Iterator[pa.RecordBatch]:
    """The columns that are needed, one row group after the other: some types are not read across the borders.

    A batch has as many rows as make a few megabytes, by what the footer says of the size of the row group. (Sizes of
    its columns are not asked for: `ColumnChunkMetaData` ends the process on some damaged footers, pyarrow 25.)
    """
    branches = _branches(columns)
    for group in groups:
        entry = file.metadata.row_group(group)
        rows = max(1, min(_MOST_BATCH_ROWS, BATCH_BYTES * entry.num_rows // max(1, entry.total_byte_size)))
        yield from file.iter_batches(rows, row_groups=[group], columns=branches, use_threads=False)
        stored.next_round()


def _branches(columns: Sequence[Column]) -> list[str]:
    return sorted({column.branch for column in columns})


def _count(file: pq.ParquetFile, url: str) -> list[int]:
    rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    if sum(rows) != file.metadata.num_rows or min(rows, default=0) < 0:
        error = EOFError(f"{sum(rows)} rows in row groups, {file.metadata.num_rows} in all")
        raise damaged("Parquet", url, error, _FOOTER)
    return rows


def _spans(opened: _Opened, columns: Sequence[Column], url: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Begin and end of the bytes of the leaves of some columns, for every row group."""
    schema = opened.file.schema
    paths = [schema.column(leaf).path for leaf in range(len(schema))]
    branches = _branches(columns)
    wanted = [leaf for leaf, path in enumerate(paths) if any(f"{path}.".startswith(f"{b}.") for b in branches)]
    try:
        groups = column_spans(opened.footer, opened.size)
        if len(groups) != opened.file.num_row_groups or any(len(spans) != len(paths) for spans in groups):
            raise EOFError("the columns of the row groups are not those of the schema")
    except EOFError as error:
        raise damaged("Parquet", url, error, _FOOTER) from None
    return tuple(tuple(spans[leaf] for leaf in wanted) for spans in groups)


@contextlib.contextmanager
def _open(stored: Stored, url: str) -> Iterator[_Opened]:
    """The footer is read once, so that its bytes are those that rows are found with."""
    try:
        size = size_of(stored)
        footer = read_footer(stored, size)
        metadata = pq.read_metadata(io.BytesIO(footer))
        file = pq.ParquetFile(
            stored,
            metadata=metadata,
            buffer_size=_READ_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        check_names(file.schema_arrow)
    except FAILURES as error:
        raise damaged("Parquet", url, error, _FOOTER) from None
    with file:
        yield _Opened(file, footer, size)
