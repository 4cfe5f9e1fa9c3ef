"""Lines with tab-separated columns in, rows of two of the columns out; quotation marks mean nothing here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.text.reading.lines import Lines, decode
from seq2seq_core.text.records import Problem, Sifted, set_aside

MISSING_COLUMN = "missing_column"


def header_columns(header: str, fields: tuple[str, str], url: str) -> tuple[int, int]:
    """The numbers (from 1) of two named columns.

    Raises:
        InputError: The header lacks one of them.
    """
    names = header.split("\t")
    for field in fields:
        if field not in names:
            raise InputError(
                f"no column {field!r}", where=f"{storage.redact(url)}, line 1", found=f"columns {', '.join(names)}"
            )
    return names.index(fields[0]) + 1, names.index(fields[1]) + 1


def read_columns(
    lines: Iterator[Lines], columns: tuple[int, int], first_line: int, max_line_bytes: int
) -> Iterator[Sifted]:
    """Rows in order; a row with too few columns or an unreadable line is set aside.

    Args:
        lines: The lines, without the header.
        columns: Column numbers of source and target, from 1.
        first_line: Number of the first line, from 1.
        max_line_bytes: Longer lines are unreadable.
    """
    for batch in lines:
        yield _pick(batch, columns, first_line, max_line_bytes)
        first_line += len(batch)


def _pick(lines: Lines, columns: tuple[int, int], first_line: int, max_line_bytes: int) -> Sifted:
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
    sides = [_column(parts.values, starts + number - 1, counts >= number) for number in columns]
    numbers = pa.array(np.arange(first_line, first_line + len(lines), dtype=np.int64))
    return set_aside(numbers, sides[0], sides[1], problems)


def _column(values: pa.StringArray, places: np.ndarray, present: np.ndarray) -> pa.StringArray:
    return values.take(pa.array(places, mask=~present))
