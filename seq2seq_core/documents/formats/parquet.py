"""Rows of a Parquet file in, their texts out; and the rows with translations as new columns, as Parquet bytes.

Units of one row group have a piece each: without them every unit would decode the group from its first row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.documents.content import Content
from seq2seq_core.documents.faithful import write_rows
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.int96 import choose_unit
from seq2seq_core.documents.pieces import publish_rows, read_piece, rows_name, with_pieces
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize, changed, cut_rows
from seq2seq_core.documents.row_groups import (
    digest_ranges,
    open_file,
    open_range,
    read_batches,
    row_counts,
)
from seq2seq_core.documents.rows import check_columns, content_of, tables_of, with_answers
from seq2seq_core.files.damage import FAILURES, check_names, damaged
from seq2seq_core.files.parquet_footer import read_footer, row_group_spans
from seq2seq_core.files.seal import size_of

_FEW_READINGS = 3


class ParquetFormat(DocumentFormat):
    """A record a row, in files that are compressed inside."""

    called = "Parquet"
    suffixes = (".parquet",)

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        return count_rows(file, size, fields)

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[pa.Table]:
        return read_rows(file, part, fields)

    def render(
        self, file: InputFile, content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        return render_rows(file, content, predictions, fields)

    def read_together(self, file: InputFile, part: RecordRange) -> str:
        """The row groups that hold a range."""
        return f"{file.url} {part.offset} {part.bytes}"

    def lay_out(self, file: InputFile, parts: Iterable[RecordRange], folder: str, /) -> list[RecordRange]:
        parts = sorted(parts, key=lambda part: part.first)
        if len(parts) < _FEW_READINGS:
            return parts
        return with_pieces(file, parts, {part: rows_name(part) for part in parts}, folder, _copy_rows)


def count_rows(file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
    """Count, digest and cut a Parquet file, and look at its columns.

    Raises:
        InputError: It is damaged, has no column of text, one that a translation would add, or one that cannot pass
            through as it is.
    """
    with storage.open_input(file.url) as stored:
        stored_bytes = size_of(stored)
        try:
            parquet = open_file(stored)
            check_names(parquet.schema_arrow)
            counts = row_counts(parquet.metadata)
            footer = read_footer(stored, stored_bytes)
            spans = row_group_spans(footer, stored_bytes)
        except FAILURES as error:
            raise damaged("Parquet", file.url, error, "in the footer at its end, before any row") from None
        check_columns(parquet.schema_arrow, fields, file.where)
        unit = choose_unit(file, stored, parquet)
        write_rows(open_file(stored, unit).schema_arrow.empty_table(), file.where)
        fingerprint, ranges = digest_ranges(stored, footer, cut_rows(sum(counts), size), counts, spans, unit)
    return CountedInput(file, fingerprint, stored_bytes, ranges)


def read_rows(file: InputFile, part: RecordRange, fields: Fields) -> Content[pa.Table]:
    """A range of rows; null is no failure, bytes that are not UTF-8 are.

    Raises:
        InputError: The file does not hold what was counted: it has changed, or is damaged.
    """
    table = read_piece(part.piece) if part.piece else None
    if table is None:
        with open_range(file, part) as parquet:
            table = pa.Table.from_batches(read_batches(file, part, parquet), parquet.schema_arrow)
    if table.num_rows != part.records:
        raise changed(file, part, f"{table.num_rows:,} rows", f"{part.records:,} rows", "rows")
    return content_of(table, fields)


def render_rows(
    file: InputFile, content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields
) -> bytes:
    """A Parquet file of the same rows and columns, the added ones last; null where nothing was translated.

    Raises:
        InputError: A column would not be what it was.
    """
    return write_rows(with_answers(content, predictions, fields), file.where)


def _copy_rows(file: InputFile, urls: dict[RecordRange, str]) -> None:
    """Write the pieces of ranges, in order, in one reading of the row groups that hold them."""
    parts = list(urls)
    first, last = parts[0], parts[-1]
    whole = dataclasses.replace(first, records=last.first + last.records - first.first)
    with open_range(file, whole) as parquet:
        for part, table in tables_of(read_batches(file, whole, parquet), parts, parquet.schema_arrow):
            publish_rows(urls[part], table)
