"""Rows of a Parquet file in, their texts out; and the rows with translations as new columns, as Parquet bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.columns.faithful import write_rows
from seq2seq_core.inference.records.columns.footer import read_footer, row_group_spans, size_of
from seq2seq_core.inference.records.columns.int96 import choose_unit
from seq2seq_core.inference.records.columns.row_groups import (
    digest_ranges,
    open_file,
    open_range,
    read_batches,
    row_counts,
)
from seq2seq_core.inference.records.content import MAX_RECORD_BYTES, Content, RecordFailure, decode_texts
from seq2seq_core.inference.records.fields import Fields
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.inference.records.pieces import read_piece
from seq2seq_core.inference.records.plan import InputPlan, RecordRange, UnitSize, changed, cut_rows
from seq2seq_core.inference.translator import Prediction
from seq2seq_core.text.reading.damage import FAILURES, check_names, damaged

_MOST_BYTES_A_CHARACTER = 4


def plan_rows(file: InputFile, size: UnitSize, fields: Fields) -> InputPlan:
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
    return InputPlan(file, fingerprint, stored_bytes, ranges)


def check_columns(schema: pa.Schema, fields: Fields, where: str) -> None:
    """Refuse a file without a column of text, or with a column a translation would add.

    Raises:
        InputError: As said.
    """
    fields.refuse_collision(schema.names, where)
    kind: pa.DataType = pa.struct(list(schema))
    for step in fields.path_in(schema.names):
        times = [inner.name for inner in kind].count(step) if pa.types.is_struct(kind) else 0
        if times != 1:
            raise InputError(
                f"the column {fields.text!r} is there {times} times"
                if times
                else f"there is no column {fields.text!r}",
                where=where,
                found=f"columns {', '.join(schema.names)}",
                advice="Give the text a name of its own."
                if times
                else "Name the column with the text (--text_field NAME).",
            )
        kind = kind.field(step).type
    if not _is_text(kind):
        raise InputError(f"the column {fields.text!r} holds no text", where=where, found=kind, expected="string")


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
        raise changed(file, part, f"{table.num_rows:,} rows", f"{part.records:,} rows")
    texts, failures = _texts(table, fields)
    return Content(texts, failures, table)


def render_rows(
    file: InputFile, content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields
) -> bytes:
    """A Parquet file of the same rows and columns, the added ones last; null where nothing was translated.

    Raises:
        InputError: A column would not be what it was.
    """
    table = content.carrier
    rows = [fields.values(prediction) for prediction in predictions]
    for position, (name, kind) in enumerate(zip(fields.added, fields.types, strict=True)):
        table = table.append_column(pa.field(name, kind), pa.array([row[position] for row in rows], kind))
    return write_rows(table, file.where)


def _texts(table: pa.Table, fields: Fields) -> tuple[list[str | None], list[RecordFailure]]:
    path = fields.path_in(table.column_names)
    column = table.column(path[0])
    for step in path[1:]:
        column = pc.struct_field(column, step)
    try:
        texts: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:
        return decode_texts(column.cast(pa.large_binary()).to_pylist())
    if any(len(text) > MAX_RECORD_BYTES // _MOST_BYTES_A_CHARACTER for text in texts if text):
        return decode_texts(column.cast(pa.large_binary()).to_pylist())
    return texts, []


def _is_text(kind: pa.DataType) -> bool:
    bare = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(bare) or pa.types.is_large_string(bare) or pa.types.is_string_view(bare))
