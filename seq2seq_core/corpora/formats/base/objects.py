"""Lines with a JSON object each in, columns of some of its fields out, with what is wrong with any of them.

Arrow's parser reads whole blocks of well-formed lines; lines it does not take, or that may mean something else to it
than line by line, go through Python's parser, which says what is wrong with which line.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from seq2seq_core.corpora.formats.base.lines import Seen
from seq2seq_core.corpora.terms.rows import BAD_SCORE, MISSING_FIELD, WRONG_TYPE
from seq2seq_core.files.fields import (
    MISSING,
    dotted_keys,
    longest_steps,
    lookup,
    parts_of,
    picks_from_list,
    reach,
)
from seq2seq_core.files.lines import NOT_UTF8, Lines, decode
from seq2seq_core.records import Problem

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_DOT = re.compile(rb"\\u002[eE]")
_FEW_LINES = 64
BAD_JSON = "bad_json"
BLANK = "blank"
"""The rule of lines that are no rows, on the way through."""
_WHITE_SPACE = " \t\r"

_Value = str | float | None
Parsed = tuple[list[pa.Array], list[Problem]]


class Field(NamedTuple):
    """A field that rows are made of.

    Attributes:
        name: With dots, as users write it.
        kind: string or float64.
        rule: That of a number which is none.
        is_needed: Whether a row without it cannot be read.
        takes_integers: Whether a text may be written as an integer.
    """

    name: str
    kind: pa.DataType
    rule: str = BAD_SCORE
    is_needed: bool = True
    takes_integers: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of its name."""
        return parts_of(self.name)


def read_objects(batch: Lines, wanted: Sequence[Field], max_line_bytes: int) -> Parsed:
    """The fields of every line, null where they are absent or cannot be read; a blank line is a problem, too."""
    text, problems = decode(batch, max_line_bytes)
    columns, more = _parse_readable(text, wanted) if problems else _parse(text, wanted)
    return columns, problems + more


def fields_in(line: str, wanted: Sequence[str]) -> Seen | None:
    """The names of the fields of an object, dotted where they stand in others; and those wanted that are there."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    names = (
        [f"{key}.{inner}" for inner in value] if isinstance(value, dict) and value else [key]
        for key, value in values.items()
    )
    there = [field for field in wanted if lookup(values, parts_of(field)) is not MISSING]
    return Seen([*itertools.chain.from_iterable(names)], there)


def _parse_readable(text: pa.StringArray, wanted: Sequence[Field]) -> Parsed:
    """Parse the lines that are not null."""
    rows = np.flatnonzero(text.is_valid().to_numpy(zero_copy_only=False))
    columns, problems = _parse(text.take(pa.array(rows)), wanted)
    places = np.full(len(text), -1)
    places[rows] = np.arange(len(rows))
    back = pa.array(places, mask=places < 0)
    return [column.take(back) for column in columns], [p._replace(row=int(rows[p.row])) for p in problems]


def _parse(text: pa.StringArray, wanted: Sequence[Field]) -> Parsed:
    """All fields of every line, as blocks where that goes, each line on its own around those where it does not."""
    parsed = _parse_block(text, wanted) or _parse_integers(text, wanted)
    if parsed is not None:
        return parsed
    if len(text) <= _FEW_LINES:
        return _parse_lines(text, wanted)
    half = len(text) // 2
    columns, problems = _parse(text.slice(0, half), wanted)
    others, more = _parse(text.slice(half), wanted)
    joined = [pa.concat_arrays(pair) for pair in zip(columns, others, strict=True)]
    return joined, problems + [problem._replace(row=problem.row + half) for problem in more]


def _parse_block(text: pa.StringArray, wanted: Sequence[Field]) -> Parsed | None:
    """All fields of every line, or None where that takes a closer look.

    Arrow's parser does not see line ends. When every line starts with { and ends with }, a line cannot end inside an
    object, so as many objects as lines means one a line.
    """
    if not pc.all(pc.and_(pc.starts_with(text, "{"), pc.ends_with(text, "}"))).as_py():
        return None
    block = pc.binary_join(pa.ListArray.from_arrays([0, len(text)], text), "\n")[0].as_buffer()
    steps = _steps_in(block, [field.parts for field in wanted])
    schema = None if steps is None else _schema(list(zip(steps, (field.kind for field in wanted), strict=True)))
    if steps is None or schema is None:
        return None
    try:
        table = pa.json.read_json(
            pa.BufferReader(block),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=block.size + 1),
            parse_options=pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(text):
        return None
    roots = {name: table.column(name).combine_chunks() for name in schema.names}
    columns = [_whole(reach(roots[top], tuple(below))) for top, *below in steps]
    problems = _describe_nulls(text, columns, wanted)
    return None if problems is None else (columns, problems)


def _parse_integers(text: pa.StringArray, wanted: Sequence[Field]) -> Parsed | None:
    """The same, of lines that have integers wherever they may stand for text."""
    if not any(field.takes_integers for field in wanted):
        return None
    parsed = _parse_block(text, [f._replace(kind=pa.int64()) if f.takes_integers else f for f in wanted])
    if parsed is None:
        return None
    return [column.cast(field.kind) for column, field in zip(parsed[0], wanted, strict=True)], parsed[1]


def _steps_in(block: pa.Buffer, parts: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]] | None:
    """The steps that names stand for in some lines: those with the longest keys that stand there in quotes.

    They are right where they lead to a value. Where they do not, others may: those lines get a closer look. None where
    keys with dots may be written with escapes.
    """
    if all(len(field) == 1 for field in parts):
        return list(parts)
    octets = memoryview(block).tobytes()
    if _ESCAPED_DOT.search(octets):
        return None
    keys = {key for field in parts for key in dotted_keys(field)}
    present = {key for key in keys if json.dumps(key, ensure_ascii=False).encode() in octets}
    return [longest_steps(field, present) for field in parts]


def _describe_nulls(text: pa.StringArray, columns: list[pa.Array], wanted: Sequence[Field]) -> list[Problem] | None:
    """What is wrong with the rows that have a null or no finite number; None when Python sees nothing wrong."""
    odd = np.zeros(len(text), np.bool_)
    for column, field in zip(columns, wanted, strict=True):
        is_number = pa.types.is_floating(column.type)
        good = pc.is_finite(column) if is_number else pc.if_else(column.is_valid(), True, None)
        odd |= ~pc.fill_null(good, not field.is_needed).to_numpy(zero_copy_only=False)
    found = [_parse_line(int(row), text[row].as_py(), wanted) for row in np.flatnonzero(odd)]
    problems = [problem for problem in found if isinstance(problem, Problem)]
    return problems if len(problems) == len(found) else None


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _schema(paths: list[tuple[tuple[str, ...], pa.DataType]]) -> pa.Schema | None:
    kind = _kind(paths)
    return pa.schema(list(kind)) if kind is not None and pa.types.is_struct(kind) else None


def _kind(paths: list[tuple[tuple[str, ...], pa.DataType]]) -> pa.DataType | None:
    """The nested type that has a value at the end of every path; None when there is no such type."""
    if not all(steps for steps, _ in paths):
        return paths[0][1] if len(paths) == 1 else None
    heads = dict.fromkeys(steps[0] for steps, _ in paths)
    tails = {head: _kind([(steps[1:], kind) for steps, kind in paths if steps[0] == head]) for head in heads}
    if any(tail is None for tail in tails.values()):
        return None
    if any(picks_from_list(head) for head in heads):
        kinds = set(tails.values())
        return pa.list_(kinds.pop()) if len(kinds) == 1 and all(map(picks_from_list, heads)) else None
    return pa.struct(tails)


def _parse_lines(text: pa.StringArray, wanted: Sequence[Field]) -> Parsed:
    """Line by line."""
    rows: list[tuple[_Value, ...]] = []
    problems: list[Problem] = []
    for row, line in enumerate(text.to_pylist()):
        found = _parse_line(row, line, wanted)
        if isinstance(found, Problem):
            problems.append(found)
            found = (None,) * len(wanted)
        rows.append(found)
    columns = zip(*rows, strict=True) if rows else ((),) * len(wanted)
    return [pa.array(column, field.kind) for column, field in zip(columns, wanted, strict=True)], problems


def _parse_line(row: int, line: str, wanted: Sequence[Field]) -> tuple[_Value, ...] | Problem:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        if not line.strip(_WHITE_SPACE):
            return Problem(row, BLANK, "", "")
        return Problem(row, BAD_JSON, f"{error.msg.removesuffix(' at')} at character {error.pos + 1}", "a JSON object")
    except (ValueError, RecursionError) as error:
        return Problem(row, BAD_JSON, str(error), "a JSON object")
    if not isinstance(values, dict):
        return Problem(row, BAD_JSON, type(values).__name__, "a JSON object")
    found = [_value(row, field, _present(lookup(values, field.parts))) for field in wanted]
    problem = next((value for value in found if isinstance(value, Problem)), None)
    return problem or tuple(value for value in found if not isinstance(value, Problem))


def _present(value: object) -> object:
    return None if value is MISSING else value


def _value(row: int, field: Field, value: object) -> _Value | Problem:
    if value is None and not field.is_needed:
        return None
    return (_text if pa.types.is_string(field.kind) else _number)(row, field, value)


def _text(row: int, field: Field, value: object) -> str | Problem:
    if value is None:
        return Problem(row, MISSING_FIELD, f"no {field.name}", "a text in every field")
    if field.takes_integers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return Problem(row, WRONG_TYPE, f"{field.name} is a {type(value).__name__}", "a text in every field")
    if _SURROGATE.search(value):
        return Problem(row, NOT_UTF8, f"{field.name} holds half a surrogate pair", "UTF-8")
    return value


def _number(row: int, field: Field, value: object) -> float | Problem:
    if isinstance(value, bool) or not isinstance(value, int | float):
        found = f"no {field.name}" if value is None else f"{field.name} is a {type(value).__name__}"
        return Problem(row, field.rule, found, "a finite number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if abs(number) < float("inf"):
        return number
    return Problem(row, field.rule, f"{field.name} {number}", "a finite number")
