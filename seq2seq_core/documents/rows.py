"""Rows of a table in, their texts out; and the rows with translations as new columns: what tables have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from seq2seq_core.documents.content import MAX_RECORD_BYTES, Content, RecordFailure, decode_texts
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import RecordRange
from seq2seq_core.errors import InputError
from seq2seq_core.files.fields import ambiguous_key, parts_of, reach, resolve

_MOST_BYTES_A_CHARACTER = 4


def check_columns(schema: pa.Schema, fields: Fields, where: str) -> None:
    """Refuse a file without the columns of text that are read, or with a column a translation would add.

    Raises:
        InputError: As said.
    """
    fields.refuse_collision(schema.names, where)
    for name in fields.read:
        _check_column(schema, name, where)


def _check_column(schema: pa.Schema, name: str, where: str) -> None:
    whole, parts = pa.struct(list(schema)), parts_of(name)
    twice, resolved = ambiguous_key(whole, parts), resolve(whole, parts)
    if twice is not None or resolved is None:
        raise InputError(
            f"there is no column {name!r}" if twice is None else f"the column {twice!r} is there more than once",
            where=where,
            found=f"columns {', '.join(schema.names)}",
            advice="Name the columns that are read (--text_field NAME, --demands.prefix_field NAME)."
            if twice is None
            else "Give the text a name of its own.",
        )
    kind = resolved[1]
    if not _is_text(kind):
        raise InputError(f"the column {name!r} holds no text", where=where, found=kind, expected="string")


def content_of(table: pa.Table, fields: Fields) -> Content[pa.Table]:
    """The texts of rows; null is no failure, bytes that are not UTF-8 are."""
    texts, failures = _texts(table, fields.text)
    if fields.prefix is None:
        return Content(texts, failures, table)
    prefixes, odd = _texts(table, fields.prefix)
    failed = {one.record: replace(one, reason=f"the field {fields.prefix!r}: {one.reason}") for one in odd}
    failed |= {one.record: one for one in failures}
    texts = [None if record in failed else text for record, text in enumerate(texts)]
    begins = {record: prefix for record, prefix in enumerate(prefixes) if prefix}
    return Content(texts, [failed[record] for record in sorted(failed)], table, prefixes=begins)


def with_answers(content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields) -> pa.Table:
    """The same rows and columns, the added ones last; null where nothing was translated."""
    table = content.carrier
    rows = [fields.values(prediction) for prediction in predictions]
    for position, (name, kind) in enumerate(zip(fields.added, fields.types, strict=True)):
        table = table.append_column(pa.field(name, kind), pa.array([row[position] for row in rows], kind))
    return table


def tables_of(
    batches: Iterable[pa.RecordBatch], parts: Sequence[RecordRange], schema: pa.Schema
) -> Iterator[tuple[RecordRange, pa.Table]]:
    """The rows of each range, out of batches that begin with the first; no more is held than a range and a batch."""
    begin = end = parts[0].first
    held: deque[pa.RecordBatch] = deque()
    waiting = deque(parts)
    for batch in batches:
        held.append(batch)
        end += len(batch)
        while waiting and waiting[0].first + waiting[0].records <= end:
            part = waiting.popleft()
            yield part, pa.Table.from_batches(held, schema).slice(part.first - begin, part.records)
        while held and (not waiting or begin + len(held[0]) <= waiting[0].first):
            begin += len(held.popleft())


def _texts(table: pa.Table, name: str) -> tuple[list[str | None], list[RecordFailure]]:
    resolved = resolve(pa.struct(list(table.schema)), parts_of(name))
    if resolved is None:
        raise InputError(f"there is no column {name!r}")
    (top, *below), kind = resolved
    column = pa.chunked_array([reach(chunk, tuple(below)) for chunk in table.column(top).chunks], kind)
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
