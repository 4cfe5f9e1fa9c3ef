"""Rows of a Parquet file in, their texts out; and the rows with translations as new columns, as Parquet bytes."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.content import Content, RecordFailure, decode_texts
from seq2seq_core.inference.records.fields import Fields
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.inference.records.plan import RecordRange, open_parquet
from seq2seq_core.inference.translator import Prediction

_BATCH_ROWS = 8192


def check_columns(file: InputFile, fields: Fields) -> None:
    """Refuse a file without a column of text, or with a column a translation would add.

    Raises:
        InputError: As said.
    """
    with open_parquet(file) as parquet:
        schema = parquet.schema_arrow
    fields.refuse_collision(schema.names, file.where)
    kind: pa.DataType = pa.struct(list(schema))
    for step in fields.path_in(schema.names):
        if not pa.types.is_struct(kind) or kind.get_field_index(step) < 0:
            raise InputError(
                f"there is no column {fields.text!r}",
                where=file.where,
                found=f"columns {', '.join(schema.names)}",
                advice="Name the column with the text (--text_field NAME).",
            )
        kind = kind.field(step).type
    if not _is_text(kind):
        raise InputError(f"the column {fields.text!r} holds no text", where=file.where, found=kind, expected="string")


def read_rows(file: InputFile, part: RecordRange, fields: Fields) -> Content[pa.Table]:
    """A range of rows; null is no failure, bytes that are not UTF-8 are.

    Raises:
        InputError: The file holds fewer rows than were counted: it has changed.
    """
    with open_parquet(file) as parquet:
        batches = list(_batches(parquet, part))
        table = pa.Table.from_batches(batches, parquet.schema_arrow)
    if table.num_rows != part.records:
        raise InputError(
            "the file has changed since it was counted",
            where=f"{file.where}, rows from {part.first}",
            found=f"{table.num_rows:,} rows",
            expected=f"{part.records:,} rows",
            advice="Run the same command again.",
        )
    texts, failures = _texts(table, fields)
    return Content(texts, failures, table)


def render_rows(content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields) -> bytes:
    """A Parquet file of the same rows and columns, the added ones last; null where nothing was translated."""
    table = content.carrier
    rows = [fields.values(prediction) for prediction in predictions]
    for position, (name, kind) in enumerate(zip(fields.added, fields.types, strict=True)):
        table = table.append_column(pa.field(name, kind), pa.array([row[position] for row in rows], kind))
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _batches(parquet: pq.ParquetFile, part: RecordRange) -> Iterator[pa.RecordBatch]:
    """The rows of a range, out of the row groups that hold some of them."""
    sizes = [parquet.metadata.row_group(index).num_rows for index in range(parquet.num_row_groups)]
    firsts = [0, *itertools.accumulate(sizes)]
    end = part.first + part.records
    groups = [index for index, first in enumerate(firsts[:-1]) if first < end and firsts[index + 1] > part.first]
    if not groups:
        return
    position = firsts[groups[0]]
    for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=groups):
        below, above = max(part.first - position, 0), min(end - position, len(batch))
        position += len(batch)
        if below < above:
            yield batch.slice(below, above - below)


def _texts(table: pa.Table, fields: Fields) -> tuple[list[str | None], list[RecordFailure]]:
    path = fields.path_in(table.column_names)
    column = table.column(path[0])
    for step in path[1:]:
        column = pc.struct_field(column, step)
    try:
        return column.to_pylist(), []
    except UnicodeDecodeError:
        return decode_texts(column.cast(pa.large_binary()).to_pylist())


def _is_text(kind: pa.DataType) -> bool:
    bare = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(bare) or pa.types.is_large_string(bare) or pa.types.is_string_view(bare))
