"""A table in, a Parquet file of it out; or an error where what would be read back is not what was given."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from seq2seq_core.documents.row_groups import batches_of, open_file
from seq2seq_core.errors import InputError
from seq2seq_core.files.damage import FAILURES

_BITS = {pa.float16(): pa.uint16(), pa.float32(): pa.uint32(), pa.float64(): pa.uint64()}
_ADVICE = "Leave the column out, or store it as another type."


def write_rows(table: pa.Table, where: str) -> bytes:
    """A Parquet file of a table, read back and compared: names, types, nulls, values, and all metadata.

    Raises:
        InputError: A column (it is named, behind `where`) cannot be written, or would not come back as it was.
    """
    try:
        data, found = _there_and_back(table)
    except FAILURES as error:
        raise InputError(
            f"the column {_culprit(table)!r} cannot be written as Parquet", where=where, found=error, advice=_ADVICE
        ) from None
    changed = _difference(table, found)
    if changed is not None:
        raise InputError(f"{changed} would not pass through as it is", where=where, advice=_ADVICE)
    return data


def _there_and_back(table: pa.Table) -> tuple[bytes, pa.Table]:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", write_page_checksum=True)
    parquet = open_file(out)
    batches = batches_of(parquet, range(parquet.num_row_groups))
    return out.getvalue(), pa.Table.from_batches(batches, parquet.schema_arrow)


def _culprit(table: pa.Table) -> str:
    """The first column that cannot be written alone."""
    for place, field in enumerate(table.schema):
        try:
            _there_and_back(table.select([place]))
        except FAILURES:
            return str(field.name)
    return ", ".join(table.column_names)


def _difference(table: pa.Table, found: pa.Table) -> str | None:
    if (table.schema.metadata or {}) != (found.schema.metadata or {}):
        return "the metadata of the file"
    if len(table) != len(found) or table.column_names != found.column_names:
        return "the number of rows, or a name of a column,"
    for place, field in enumerate(table.schema):
        other = found.schema.field(place)
        # The names Parquet has for what stands inside a list are no part of its type.
        kept = field.equals(other) and (field.metadata or {}) == (other.metadata or {})
        if not kept or not _same(table.column(place), found.column(place)):
            return f"the column {field.name!r} ({field.type})"
    return None


def _same(before: pa.ChunkedArray, after: pa.ChunkedArray) -> bool:
    return bool(before.equals(after)) or _same_values(before.combine_chunks(), after.combine_chunks())


def _same_values(before: pa.Array, after: pa.Array) -> bool:
    """Whether two columns of one type hold the same, bit by bit: to Arrow, what is no number differs from itself."""
    if before.equals(after):
        return True
    if len(before) != len(after) or not before.is_valid().equals(after.is_valid()):
        return False
    parts = list(zip(_parts(before), _parts(after), strict=True))
    return bool(parts) and all(_same_values(*pair) for pair in parts)


def _parts(column: pa.Array) -> list[pa.Array]:
    """What a column is made of, where it may hold numbers with a fraction."""
    kind = column.type
    parts: list[pa.Array] = []
    if isinstance(kind, pa.BaseExtensionType):
        parts = [column.storage]
    elif pa.types.is_floating(kind):
        parts = [column.view(_BITS[kind])]
    elif pa.types.is_dictionary(kind):
        parts = [column.dictionary_decode()]
    elif pa.types.is_struct(kind):
        parts = column.flatten()
    elif pa.types.is_map(kind):
        entries = pa.struct([kind.key_field, kind.item_field])
        parts = [column.cast(pa.list_(pa.field("entries", entries, nullable=False)))]
    elif pa.types.is_nested(kind):
        parts = [pc.list_value_length(column), pc.list_flatten(column)]
    return parts
