"""Lines with tab-separated columns in, rows of some of the columns out; quotation marks mean nothing here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.rows import Shape
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Problem, Sifted

MISSING_COLUMN = "missing_column"
_MOST_DIGITS = 6


def is_number(field: str) -> bool:
    """Whether a field is the number of a column; any other is its name (`isdigit` alone takes "²" for a number)."""
    return field.isascii() and field.isdigit()


def check_columns(fields: Sequence[str]) -> None:
    """A ConfigError where fields are not different columns, all numbered from 1 or all named."""
    found = f"{' and '.join(fields):.200}"
    if len(set(map(is_number, fields))) > 1:
        raise ConfigError("name all columns or number all of them", found=found)
    different = {field.lstrip("0") if is_number(field) else field for field in fields}
    if any(is_number(field) and not 0 < len(field.lstrip("0")) <= _MOST_DIGITS for field in fields):
        raise ConfigError("columns are numbered from 1", found=found, expected=f"at most {_MOST_DIGITS} digits")
    if len(different) < len(fields):
        raise ConfigError("the fields must be different values", found=found)


def header_columns(header: str, fields: Sequence[str], url: str) -> tuple[int, ...]:
    """The numbers (from 1) of named columns.

    Raises:
        InputError: The header lacks one of them, or has it more than once.
    """
    names = header.split("\t")
    for field in fields:
        if names.count(field) != 1:
            problem = f"the column {field!r} is there more than once" if field in names else f"no column {field!r}"
            raise InputError(problem, where=f"{storage.redact(url)}, line 1", found=f"columns {', '.join(names)}")
    return tuple(names.index(field) + 1 for field in fields)


def read_columns(
    lines: Iterator[Lines], columns: Sequence[int], shape: Shape, first_line: int, max_line_bytes: int
) -> Iterator[Sifted]:
    """Rows in order; a row with too few columns or an unreadable line is set aside.

    Args:
        lines: The lines, without the header.
        columns: Column numbers of the texts and the score, from 1.
        shape: What the columns are.
        first_line: Number of the first line, from 1.
        max_line_bytes: Longer lines are unreadable.
    """
    for batch in lines:
        yield _pick(batch, columns, shape, first_line, max_line_bytes)
        first_line += len(batch)


def _pick(lines: Lines, columns: Sequence[int], shape: Shape, first_line: int, max_line_bytes: int) -> Sifted:
    text, problems = decode(lines, max_line_bytes)
    parts = pc.split_pattern(text, "\t")
    counts = pc.fill_null(pc.list_value_length(parts), 0).to_numpy(zero_copy_only=False)
    unreadable = {problem.row for problem in problems}
    problems += [
        Problem(int(row), MISSING_COLUMN, f"{counts[row]} columns", f"at least {max(columns)} columns")
        for row in np.flatnonzero(counts < max(columns))
        if int(row) not in unreadable
    ]
    starts = parts.offsets.to_numpy()[: len(parts)]
    picked = [_column(parts.values, starts + number - 1, counts >= number) for number in columns]
    return shape.finish(first_line, picked, problems)


def _column(values: pa.StringArray, places: npt.NDArray[np.int64], present: npt.NDArray[np.bool_]) -> pa.StringArray:
    return values.take(pa.array(places, mask=~present))
