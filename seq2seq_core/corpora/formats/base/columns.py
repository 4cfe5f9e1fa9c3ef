"""Files of typed columns in; the checked places of named fields, and texts and scores out of their batches, out.

What Parquet and Arrow files have in common: a value may be absent, but is never of a wrong type.
"""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.audio.named import Loader
from seq2seq_core.corpora.formats.audio.places import Places
from seq2seq_core.corpora.formats.audio.values import is_file, named_by
from seq2seq_core.corpora.formats.base.format import SIDES, Format
from seq2seq_core.corpora.terms.index import FileIndex, PartSize
from seq2seq_core.corpora.terms.rows import MISSING_FIELD, Kind, Shape
from seq2seq_core.corpora.terms.source import Source
from seq2seq_core.errors import InputError
from seq2seq_core.files.fields import ALL, ambiguous_key, parts_of, picks_from_list, reach, resolve
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Problem, Sifted

BATCH_BYTES = 8 << 20
_GATHERED_BYTES = 4 << 20
_MOST_GATHERED = 256
_MOST_NAMES = 40
_TEXTS = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_null,
)
_BYTES = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)


class _Types(NamedTuple):
    """The types that a kind of column may have, and what to say where it has another."""

    types: tuple[Callable[[pa.DataType], bool], ...]
    called: str
    expected: str


_TYPES = {"text": _Types(_TEXTS, "text", "string"), "number": _Types(_NUMBERS, "numbers", "integers or floats")}


class ColumnFormat(Format):
    """A format with a schema, whose columns are compressed by itself; it is cut between batches of rows."""

    default_fields = SIDES
    takes_archives = False
    has_values = True

    def index(self, source: Source, size: PartSize, max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        for url in source.urls:
            find_columns(self.read_schema(url), source.wanted, source.shape, storage.redact(url))
        return super().index(source, size, max_line_bytes)

    @abc.abstractmethod
    def read_schema(self, url: str, /) -> pa.Schema:
        """The columns of a file; an InputError when it is damaged."""


@dataclass(frozen=True)
class Column:
    """Where a field stands: the name as the user wrote it, the top column, the steps below it."""

    name: str
    top: str
    steps: tuple[str, ...]

    @property
    def branch(self) -> str:
        """The dotted name of what has to be read from a file to get at the field: lists are read whole."""
        below = itertools.takewhile(lambda step: not picks_from_list(step), self.steps)
        return ".".join((self.top, *below))


def find_columns(schema: pa.Schema, fields: Sequence[str], shape: Shape, where: str) -> list[Column]:
    """The places of the texts and the score.

    Raises:
        InputError: A column is missing or of a type that holds no text (no number); file, column, type and the
            columns there are named.
    """
    return [_find(schema, field, where, shape.kind_of(position)) for position, field in enumerate(fields)]


def pick_rows(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], source: Source, first_line: int, max_bytes: int
) -> Iterator[Sifted]:
    """The rows of some batches, some megabytes at a time; one with a null, or text that cannot be read, is set aside.

    Args:
        batches: Of a file of the source, in order.
        columns: The places of what rows are made of.
        source: What is read. Values that name a file in place of holding it are looked for from there.
        first_line: The number of the first row.
        max_bytes: Longer texts are unreadable.

    Raises:
        pa.ArrowInvalid: A batch is damaged.
    """
    url = source.urls[0]
    loader = Loader(Places(url, source.audio_root), storage.redact(url)) if source.values else None
    for table in _gather(batches, columns):
        for picked in _pick(table, columns, source.shape, first_line, max_bytes):
            yield from [picked.finish()] if loader is None else picked.loaded(loader)
        first_line += table.num_rows


def _gather(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[pa.Table]:
    """The columns that are needed, small batches put together."""
    tops = list(dict.fromkeys(column.top for column in columns))
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(pa.record_batch([_sound(batch.column(top)) for top in tops], tops))
        if sum(part.nbytes for part in waiting) >= _GATHERED_BYTES or len(waiting) >= _MOST_GATHERED:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


@dataclass(frozen=True)
class _Picked:
    """Rows with their columns, and what is wrong with them."""

    shape: Shape
    first_line: int
    columns: list[pa.Array]
    problems: list[Problem]

    def finish(self) -> Sifted:
        return self.shape.finish(self.first_line, self.columns, self.problems)

    def loaded(self, loader: Loader) -> Iterator[Sifted]:
        """The same, with the bytes of files that values name, some megabytes at a time."""
        places = [place for place in range(self.shape.texts) if self.shape.kind_of(place) == "value"]
        held = [place for place in places if is_file(self.columns[place].type)]
        if not held:
            yield self.finish()
            return
        count = len(self.columns[0])
        lines = pa.array(np.arange(self.first_line, self.first_line + count, dtype=np.int64))
        for loaded in loader.load(named_by(self.columns[held[0]]), lines):
            columns = [column.slice(loaded.start, loaded.stop - loaded.start) for column in self.columns]
            columns[held[0]] = loaded.values
            problems = [p._replace(row=p.row - loaded.start) for p in self.problems]
            problems = [p for p in problems if 0 <= p.row < loaded.stop - loaded.start]
            yield self.shape.finish(self.first_line + loaded.start, columns, problems + loaded.problems)


def _pick(
    table: pa.Table, columns: Sequence[Column], shape: Shape, first_line: int, max_bytes: int
) -> Iterator[_Picked]:
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
    for batch in table.to_batches(max_chunksize=rows):
        found: list[pa.Array] = []
        problems: list[Problem] = []
        for position, column in enumerate(columns):
            values = _reach(batch.column(column.top), column.steps)
            kind = shape.kind_of(position)
            if kind == "value":
                problems += _absent(values, column, "a value in every field")
            if kind == "text":
                values, more = _read_text(values.cast(pa.binary()), column, shape.name_of(position), max_bytes)
                problems += more
            found.append(values)
        yield _Picked(shape, first_line, found, problems)
        first_line += len(batch)


def _find(schema: pa.Schema, field: str, where: str, kind: Kind) -> Column:
    parts = parts_of(field)
    twice = ambiguous_key(pa.struct(list(schema)), parts)
    if twice is not None:
        raise InputError(f"the column {twice!r} is there more than once", where=where, found=_describe(schema))
    found = resolve(pa.struct(list(schema)), parts)
    if found is None or (parts[-1] == ALL and kind != "text"):
        raise InputError(f"no column {field!r}", where=where, found=_describe(schema))
    (top, *below), type_ = found
    bare = type_.value_type if pa.types.is_dictionary(type_) else type_
    if kind in _TYPES and not any(is_one(bare) for is_one in _TYPES[kind].types):
        raise InputError(
            f"the column {field!r} holds no {_TYPES[kind].called}",
            where=where,
            found=f"type {type_} among {_describe(schema)}",
            expected=_TYPES[kind].expected,
        )
    return Column(field, top, tuple(below))


def _describe(schema: pa.Schema) -> str:
    """All leaves with their types."""
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    more = f" and {len(leaves) - _MOST_NAMES} more" if len(leaves) > _MOST_NAMES else ""
    return f"columns {', '.join(leaves[:_MOST_NAMES])}{more}"


def _leaves(name: str, kind: pa.DataType) -> Iterator[str]:
    if not pa.types.is_struct(kind):
        yield f"{name} ({kind})"
        return
    for position in range(kind.num_fields):
        yield from _leaves(f"{name}.{kind.field(position).name}", kind.field(position).type)


def _reach(values: pa.Array, steps: tuple[str, ...]) -> pa.Array:
    if steps[-1:] == (ALL,):
        return reach(reach(values, steps[:-1]).cast(pa.list_(pa.binary())), (ALL,))
    return reach(values, steps)


def _sound(values: pa.Array) -> pa.Array:
    """The values with text seen as bytes (it may not be UTF-8), and known to be well-formed in all else."""
    values.validate()
    kind = _as_bytes(values.type)
    if pa.types.is_dictionary(values.type):
        values = values.view(kind)
        values.validate(full=True)
        return values.cast(kind.value_type)
    if kind != values.type:
        values = values.cast(kind)
    values.validate(full=True)
    return values


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """The type of the same layout with bytes in the place of text."""
    if kind in _BYTES:
        return _BYTES[kind]
    if pa.types.is_struct(kind):
        fields = [kind.field(position) for position in range(kind.num_fields)]
        return pa.struct([field.with_type(_as_bytes(field.type)) for field in fields])
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _as_bytes(kind.value_type), kind.ordered)
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_as_bytes(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_as_bytes(kind.value_type)))
    return kind


def _read_text(octets: pa.BinaryArray, column: Column, side: str, max_bytes: int) -> tuple[pa.Array, list[Problem]]:
    lengths = pc.fill_null(pc.binary_length(octets), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    text, unreadable = decode(Lines(octets, lengths), max_bytes)
    problems = _absent(octets, column, "a text in every field")
    return text, problems + [problem._replace(value=f"{side} {problem.value}".strip()) for problem in unreadable]


def _absent(values: pa.Array, column: Column, expected: str) -> list[Problem]:
    nulls = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)) if values.null_count else ()
    return [Problem(int(row), MISSING_FIELD, f"no {column.name}", expected) for row in nulls]
