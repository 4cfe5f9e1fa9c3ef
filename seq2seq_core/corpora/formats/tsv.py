"""Files of tab-separated columns in, rows of some of the columns out; quotation marks mean nothing here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.lines import LineFormat, Seen, lines_of
from seq2seq_core.corpora.terms.index import FileIndex, PartSize, empty
from seq2seq_core.corpora.terms.rows import Shape
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.files.encodings import open_text, text_of
from seq2seq_core.files.lines import Lines, decode, read_lines
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Problem, Sifted

MISSING_COLUMN = "missing_column"
_MOST_DIGITS = 6


class Tsv(LineFormat):
    """Columns between tabs, by number, or by the names in a first line that is no row."""

    called = "a TSV file"
    suffixes = (".tsv",)
    default_fields = ("1", "2")

    def check_fields(self, fields: Sequence[str], /) -> None:
        found = f"{' and '.join(fields):.200}"
        if len(set(map(_is_number, fields))) > 1:
            raise ConfigError("name all columns or number all of them", found=found)
        different = {field.lstrip("0") if _is_number(field) else field for field in fields}
        if any(_is_number(field) and not 0 < len(field.lstrip("0")) <= _MOST_DIGITS for field in fields):
            raise ConfigError("columns are numbered from 1", found=found, expected=f"at most {_MOST_DIGITS} digits")
        if len(different) < len(fields):
            raise ConfigError("the fields must be different values", found=found)

    def header_lines(self, source: Source, /) -> int:
        return 0 if _is_number(source.fields[0]) else 1

    def index(self, source: Source, size: PartSize, max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        _find_columns(source, max_line_bytes)
        return super().index(source, size, max_line_bytes)

    def may_be_empty(self, source: Source, found: FileIndex, /) -> bool:
        return self.header_lines(source) > 0 and found.lines in (None, 1)

    def fields_in(self, line: str, wanted: Sequence[str], /) -> Seen | None:
        if not _is_number(wanted[0]):  # the first line has all names, or the index says so
            return None
        count = line.count("\t") + 1
        return Seen([f"column {number}" for number in range(1, count + 1)], [f for f in wanted if int(f) <= count])

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        source, first_line = part.source, part.first_line
        begins_with_names = self.header_lines(source) > 0 and first_line == 1
        columns = () if begins_with_names else _columns_of(part, files[0], max_line_bytes)
        lines = lines_of(part, 0, files[0], max_line_bytes)
        if begins_with_names:
            first = next(lines, None)
            columns = _columns_in(first, source, max_line_bytes)
            lines, first_line = itertools.chain([] if first is None else [first.part(1)], lines), 2
        for batch in lines:
            yield _pick(batch, columns, source.shape, first_line, max_line_bytes)
            first_line += len(batch)


def _is_number(field: str) -> bool:
    """Whether a field is the number of a column; any other is its name (`isdigit` alone takes "²" for a number)."""
    return field.isascii() and field.isdigit()


def _find_columns(source: Source, max_line_bytes: int) -> tuple[int, ...]:
    """The numbers of the columns, from 1; where they have names, the beginning of the file is read."""
    if _is_number(source.fields[0]):
        return tuple(map(int, source.wanted))
    with open_text(source.urls[0]) as stream:
        return _columns_in(next(read_lines(stream, max_line_bytes), None), source, max_line_bytes)


def _columns_of(part: Part, file: Watched, max_line_bytes: int) -> tuple[int, ...]:
    """The columns of a part without the header, which stands before it."""
    source, head = part.source, part.seals[0].head if part.seals else 0
    if not head:
        return _find_columns(source, max_line_bytes)
    lines = read_lines(text_of(file, source.urls[0], 0, head), max_line_bytes)
    return _columns_in(next(lines, None), source, max_line_bytes)


def _columns_in(first: Lines | None, source: Source, max_line_bytes: int) -> tuple[int, ...]:
    """The numbers of named columns, by the first lines of the file.

    Raises:
        InputError: The header cannot be read, lacks one of them, or has it more than once.
    """
    if first is None:
        raise empty(source.urls[0])
    where = f"{storage.redact(source.urls[0])}, line 1"
    text, problems = decode(first.part(0, 1), max_line_bytes)
    if problems:
        found, expected = problems[0].value, problems[0].threshold
        raise InputError("the header cannot be read", where=where, found=found, expected=expected)
    names = text[0].as_py().split("\t")
    for field in source.wanted:
        if names.count(field) != 1:
            problem = f"the column {field!r} is there more than once" if field in names else f"no column {field!r}"
            raise InputError(problem, where=where, found=f"columns {', '.join(names)}")
    return tuple(names.index(field) + 1 for field in source.wanted)


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
