"""Lines of columns between tabs, with their names in the first, in; utterances out: what tables of speech share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.audio.problems import WRONG_DURATION
from seq2seq_core.corpora.formats.audio.named import Named
from seq2seq_core.corpora.formats.speech.lines import Utterances
from seq2seq_core.corpora.terms.rows import MISSING_FIELD
from seq2seq_core.errors import InputError
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Problem

MISSING_COLUMN = "missing_column"

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class Columns:
    """The places of columns, from 0; None where the table has no such one.

    Attributes:
        width: How many columns a line has at least.
    """

    path: int
    text: int
    speaker: int | None
    seconds: int | None
    begin: int | None

    @property
    def width(self) -> int:
        return max(self.path, self.text) + 1


def find_columns(
    header: Lines | None,
    url: str,
    max_line_bytes: int,
    *,
    path: Sequence[str],
    text: str,
    speaker: str | None = None,
    seconds: str | None = None,
    begin: str | None = None,
) -> Columns:
    """The places of named columns.

    Args:
        header: The first line of the file; None stands for an empty one.
        url: The file.
        max_line_bytes: A longer header is unreadable.
        path: Names of the column with the path, of which the first that is there counts.
        text: The name of the column with the text.
        speaker: Of one that may be there.
        seconds: Of one that may be there.
        begin: Of one that may be there.

    Raises:
        InputError: The header cannot be read, lacks a column, or has one more than once.
    """
    names = _names(header, url, max_line_bytes)
    chosen = next((name for name in path if name in names), path[0])
    others = (_place(names, name, url) if name in names else None for name in (speaker, seconds, begin))
    return Columns(_place(names, chosen, url), _place(names, text, url), *others)


def read_table(batch: Lines, columns: Columns, first_line: int, max_line_bytes: int) -> Utterances:
    """What some lines tell of utterances; an absent path, or a number that is none, is a problem."""
    text, problems = decode(batch, max_line_bytes)
    parts = pc.split_pattern(text, "\t")
    counts = pc.fill_null(pc.list_value_length(parts), 0).to_numpy(zero_copy_only=False)
    known = {problem.row for problem in problems}
    expected = f"at least {columns.width} columns"
    problems += [
        Problem(row, MISSING_COLUMN, f"{counts[row]} columns", expected)
        for row in np.flatnonzero(counts < columns.width).tolist()
        if row not in known
    ]
    starts = parts.offsets.to_numpy()[: len(parts)]

    def column(place: int | None) -> pa.StringArray:
        present = np.zeros(len(parts), np.bool_) if place is None else counts > place
        return parts.values.take(pa.array(starts + (place or 0), mask=~present))

    paths, texts = column(columns.path), column(columns.text)
    seconds, more = _numbers(column(columns.seconds), "duration")
    begins, others = _numbers(column(columns.begin), "offset")
    problems += _empty(paths) + more + others
    lines = pa.array(np.arange(first_line, first_line + len(batch), dtype=np.int64))
    return Utterances(lines, Named(paths, _given(column(columns.speaker)), begins, seconds), texts, problems)


def _names(header: Lines | None, url: str, max_line_bytes: int) -> list[str]:
    if header is None or not len(header):
        return []
    text, problems = decode(header, max_line_bytes)
    if problems:
        where = f"{storage.redact(url)}, line 1"
        found, expected = problems[0].value, problems[0].threshold
        raise InputError("the header cannot be read", where=where, found=found, expected=expected)
    names: list[str] = text[0].as_py().split("\t")
    return names


def _place(names: list[str], name: str | None, url: str) -> int:
    if name is not None and names.count(name) == 1:
        return names.index(name)
    problem = f"the column {name!r} is there more than once" if name in names else f"no column {name!r}"
    where = f"{storage.redact(url)}, line 1"
    raise InputError(problem, where=where, found=f"columns {', '.join(names)}", expected="a header with their names")


def _given(texts: pa.StringArray) -> pa.StringArray:
    """Null in the place of empty texts."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(texts), ""), pa.scalar(None, pa.string()), texts)


def _empty(paths: pa.StringArray) -> list[Problem]:
    is_empty = pc.fill_null(pc.equal(paths, ""), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_empty).tolist()
    return [Problem(row, MISSING_FIELD, "an empty path", "a path in every row") for row in rows]


def _numbers(texts: pa.StringArray, name: str) -> tuple[pa.DoubleArray, list[Problem]]:
    shown = _given(pc.utf8_trim_whitespace(texts))
    good = pc.match_substring_regex(shown, _NUMBER)
    rows = np.flatnonzero(~pc.fill_null(good, True).to_numpy(zero_copy_only=False)).tolist()
    numbers = pc.if_else(pc.fill_null(good, False), shown, pa.scalar(None, pa.string())).cast(pa.float64())
    return numbers, [
        Problem(row, WRONG_DURATION, f"{name} {shown[row].as_py():.100}", "a finite number") for row in rows
    ]
