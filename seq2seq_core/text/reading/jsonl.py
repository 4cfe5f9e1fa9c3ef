"""Lines with a JSON object each in, rows of two of its fields out.

Arrow's parser reads whole blocks of well-formed lines; a block it does not take, or that may mean something else to
it than line by line, goes through Python's parser, which says what is wrong with which line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from seq2seq_core.text.reading.lines import NOT_UTF8, Lines, decode
from seq2seq_core.text.records import Problem, Sifted, set_aside

_SURROGATE = re.compile("[\ud800-\udfff]")
BAD_JSON, MISSING_FIELD, WRONG_TYPE = "bad_json", "missing_field", "wrong_type"


def read_fields(
    lines: Iterator[Lines], fields: tuple[str, str], first_line: int, max_line_bytes: int
) -> Iterator[Sifted]:
    """Rows in order; a line that is not a JSON object with text in both fields is set aside.

    Args:
        lines: The lines.
        fields: Names of the source and target field; dots reach into nested objects.
        first_line: Number of the first line, from 1.
        max_line_bytes: Longer lines are unreadable.
    """
    for batch in lines:
        text, problems = decode(batch, max_line_bytes)
        sides = None if problems else _parse_block(text, fields)
        source, target = sides or _parse_lines(text, fields, problems)
        numbers = pa.array(np.arange(first_line, first_line + len(batch), dtype=np.int64))
        yield set_aside(numbers, source, target, problems)
        first_line += len(batch)


def _parse_block(text: pa.StringArray, fields: tuple[str, str]) -> tuple[pa.StringArray, pa.StringArray] | None:
    """Both fields of every line, or None where that takes a closer look.

    Arrow's parser does not see line ends. When every line starts with { and ends with }, a line cannot end inside an
    object, so as many objects as lines means one a line.
    """
    braced = pc.and_(pc.starts_with(text, "{"), pc.ends_with(text, "}"))
    if not pc.all(braced).as_py():
        return None
    block = pc.binary_join(pa.ListArray.from_arrays([0, len(text)], text), "\n")[0].as_buffer()
    try:
        table = pa.json.read_json(
            pa.BufferReader(block),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=block.size + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=_schema([field.split(".") for field in fields]), unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = [_reach(table, field.split(".")) for field in fields]
    whole = table.num_rows == len(text) and not any(column.null_count for column in columns)
    return (columns[0], columns[1]) if whole else None


def _schema(paths: list[list[str]]) -> pa.Schema:
    return pa.schema(_fields(paths))


def _fields(paths: list[list[str]]) -> list[pa.Field]:
    """The nested fields that some paths reach: a path that ends is text, one that goes on an object."""
    names = dict.fromkeys(path[0] for path in paths)
    tails = {name: [path[1:] for path in paths if path[0] == name and path[1:]] for name in names}
    return [pa.field(name, pa.struct(_fields(deeper)) if deeper else pa.string()) for name, deeper in tails.items()]


def _reach(table: pa.Table, path: list[str]) -> pa.StringArray:
    column = table.column(path[0]).combine_chunks()
    for name in path[1:]:
        column = pc.struct_field(column, name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _parse_lines(
    text: pa.StringArray, fields: tuple[str, str], problems: list[Problem]
) -> tuple[pa.StringArray, pa.StringArray]:
    """Line by line; what is wrong is added to `problems`."""
    sides: tuple[list[str | None], list[str | None]] = ([], [])
    for row, line in enumerate(text.to_pylist()):
        values: list[str | None] = [None, None]
        if line is not None:
            found = _parse_line(row, line, fields)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                values = [*found]
        for side, value in zip(sides, values, strict=True):
            side.append(value)
    return pa.array(sides[0], pa.string()), pa.array(sides[1], pa.string())


def _parse_line(row: int, line: str, fields: tuple[str, str]) -> tuple[str, str] | Problem:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        return Problem(row, BAD_JSON, f"{error.msg} at character {error.pos + 1}", "a JSON object")
    except (ValueError, RecursionError) as error:
        return Problem(row, BAD_JSON, str(error), "a JSON object")
    if not isinstance(values, dict):
        return Problem(row, BAD_JSON, type(values).__name__, "a JSON object")
    source, target = (_text(row, field, _descend(values, field.split("."))) for field in fields)
    if isinstance(source, Problem):
        return source
    return target if isinstance(target, Problem) else (source, target)


def _text(row: int, field: str, value: object) -> str | Problem:
    if value is None:
        return Problem(row, MISSING_FIELD, f"no {field}", "a text in every field")
    if not isinstance(value, str):
        return Problem(row, WRONG_TYPE, f"{field} is a {type(value).__name__}", "a text in every field")
    if _SURROGATE.search(value):
        return Problem(row, NOT_UTF8, f"{field} holds half a surrogate pair", "UTF-8")
    return value


def _descend(value: object, path: list[str]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
