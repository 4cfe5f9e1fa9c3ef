"""Files with a JSON object a line in, rows of some of its fields out.

Arrow's parser reads whole blocks of well-formed lines; lines it does not take, or that may mean something else to it
than line by line, go through Python's parser, which says what is wrong with which line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from seq2seq_core.corpora.formats.format import SIDES
from seq2seq_core.corpora.formats.lines import BLANKS, LineFormat, lines_of
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.rows import BAD_SCORE, MISSING_FIELD, WRONG_TYPE
from seq2seq_core.corpora.terms.source import Part, Source
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
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Problem, Sifted

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_DOT = re.compile(rb"\\u002[eE]")
_FEW_LINES = 64
BAD_JSON = "bad_json"
_BLANK = "blank"  # of lines that are no rows, on the way through
_WHITE_SPACE = " \t\r"

_Value = str | float | None
_Parsed = tuple[list[pa.Array], list[Problem]]


class _Fields(NamedTuple):
    """The fields a row is made of: names, the parts of each, and which are texts."""

    names: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    kinds: tuple[pa.DataType, ...]


class JsonLines(LineFormat):
    """An object a line.

    A blank line is no row, wherever it stands: files end in one, and so does the middle of two files put together.
    """

    called = "a JSONL file"
    suffixes = (".jsonl", ".ndjson")
    default_fields = SIDES

    def may_be_empty(self, _source: Source, found: FileIndex, /) -> bool:
        return found.lines is None or found.begins_blank

    def holds_row(self, lines: Lines, /) -> bool:
        return any(line.strip(BLANKS) for line in lines.text.to_pylist())

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        shape, names, first_line = part.source.shape, part.source.wanted, part.first_line
        kinds = (pa.string(),) * shape.texts + (pa.float64(),) * shape.scored
        wanted = _Fields(names, tuple(map(parts_of, names)), kinds)
        for batch in lines_of(part, 0, files[0], max_line_bytes):
            text, problems = decode(batch, max_line_bytes)
            columns, more = _parse_readable(text, wanted) if problems else _parse(text, wanted)
            yield _without_blanks(shape.finish(first_line, columns, problems + more))
            first_line += len(batch)


def _without_blanks(sifted: Sifted) -> Sifted:
    is_row = pc.not_equal(sifted.rejected.column("rule"), _BLANK)
    return Sifted(sifted.kept, sifted.rejected.filter(is_row))


def _parse_readable(text: pa.StringArray, wanted: _Fields) -> _Parsed:
    """Parse the lines that are not null."""
    rows = np.flatnonzero(text.is_valid().to_numpy(zero_copy_only=False))
    columns, problems = _parse(text.take(pa.array(rows)), wanted)
    places = np.full(len(text), -1)
    places[rows] = np.arange(len(rows))
    back = pa.array(places, mask=places < 0)
    return [column.take(back) for column in columns], [p._replace(row=int(rows[p.row])) for p in problems]


def _parse(text: pa.StringArray, wanted: _Fields) -> _Parsed:
    """All fields of every line, as blocks where that goes, each line on its own around those where it does not."""
    parsed = _parse_block(text, wanted)
    if parsed is not None:
        return parsed
    if len(text) <= _FEW_LINES:
        return _parse_lines(text, wanted)
    half = len(text) // 2
    columns, problems = _parse(text.slice(0, half), wanted)
    others, more = _parse(text.slice(half), wanted)
    joined = [pa.concat_arrays(pair) for pair in zip(columns, others, strict=True)]
    return joined, problems + [problem._replace(row=problem.row + half) for problem in more]


def _parse_block(text: pa.StringArray, wanted: _Fields) -> _Parsed | None:
    """All fields of every line, or None where that takes a closer look.

    Arrow's parser does not see line ends. When every line starts with { and ends with }, a line cannot end inside an
    object, so as many objects as lines means one a line.
    """
    if not pc.all(pc.and_(pc.starts_with(text, "{"), pc.ends_with(text, "}"))).as_py():
        return None
    block = pc.binary_join(pa.ListArray.from_arrays([0, len(text)], text), "\n")[0].as_buffer()
    steps = _steps_in(block, wanted.parts)
    schema = None if steps is None else _schema(list(zip(steps, wanted.kinds, strict=True)))
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


def _describe_nulls(text: pa.StringArray, columns: list[pa.Array], wanted: _Fields) -> list[Problem] | None:
    """What is wrong with the rows that have a null or no finite number; None when Python sees nothing wrong."""
    odd = np.zeros(len(text), np.bool_)
    for column in columns:
        good = pc.is_finite(column) if pa.types.is_floating(column.type) else column.is_valid()
        odd |= ~pc.fill_null(good, False).to_numpy(zero_copy_only=False)
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


def _parse_lines(text: pa.StringArray, wanted: _Fields) -> _Parsed:
    """Line by line."""
    rows: list[tuple[_Value, ...]] = []
    problems: list[Problem] = []
    for row, line in enumerate(text.to_pylist()):
        found = _parse_line(row, line, wanted)
        if isinstance(found, Problem):
            problems.append(found)
            found = (None,) * len(wanted.names)
        rows.append(found)
    columns = zip(*rows, strict=True) if rows else ((),) * len(wanted.names)
    return [pa.array(column, kind) for column, kind in zip(columns, wanted.kinds, strict=True)], problems


def _parse_line(row: int, line: str, wanted: _Fields) -> tuple[_Value, ...] | Problem:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        if not line.strip(_WHITE_SPACE):
            return Problem(row, _BLANK, "", "")
        return Problem(row, BAD_JSON, f"{error.msg} at character {error.pos + 1}", "a JSON object")
    except (ValueError, RecursionError) as error:
        return Problem(row, BAD_JSON, str(error), "a JSON object")
    if not isinstance(values, dict):
        return Problem(row, BAD_JSON, type(values).__name__, "a JSON object")
    found = [
        (_text if pa.types.is_string(kind) else _number)(row, name, _present(lookup(values, parts)))
        for name, parts, kind in zip(wanted.names, wanted.parts, wanted.kinds, strict=True)
    ]
    problem = next((value for value in found if isinstance(value, Problem)), None)
    return problem or tuple(value for value in found if not isinstance(value, Problem))


def _present(value: object) -> object:
    return None if value is MISSING else value


def _text(row: int, field: str, value: object) -> str | Problem:
    if value is None:
        return Problem(row, MISSING_FIELD, f"no {field}", "a text in every field")
    if not isinstance(value, str):
        return Problem(row, WRONG_TYPE, f"{field} is a {type(value).__name__}", "a text in every field")
    if _SURROGATE.search(value):
        return Problem(row, NOT_UTF8, f"{field} holds half a surrogate pair", "UTF-8")
    return value


def _number(row: int, field: str, value: object) -> float | Problem:
    if isinstance(value, bool) or not isinstance(value, int | float):
        found = f"no {field}" if value is None else f"{field} is a {type(value).__name__}"
        return Problem(row, BAD_SCORE, found, "a finite number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    return number if abs(number) < float("inf") else Problem(row, BAD_SCORE, f"{field} {number}", "a finite number")
