"""Rows of a corpus in; those that go on, and those set aside with the reason, out: the one way in which rows leave it.

The words for it, wherever rows are judged:

    rule      says of each row whether it fails, what it measured, and what passes. Readers have rules (`not_utf8`), so
              have text (`text.rules`) and the corpus as a whole (`preparation.sieves`). The ledger counts by its name
    filters   the configuration of a corpus's rules of text: which are on, and their thresholds
    reject    to part rows by the verdict of one rule; `set_aside`: by what a reader found of each
    sifted    what comes of that: the rows kept, and those rejected, each with rule, value and threshold
    sift      to ask all rules of text one after the other; a row counts under the first it fails
    sieve     a step of a preparation that asks a rule which needs to know more than the row
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import TypeVar  # whose variables have defaults before Python 3.13

ORIGIN = pa.field("origin", pa.string(), nullable=False)
REJECTS = pa.schema(
    [
        pa.field("line", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("threshold", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("target", pa.string()),
    ]
)
"""Rows set aside: line counts from 1; a side is null where it is no text, or its bytes could not be read."""
REJECTS_OF_FILES = REJECTS.insert(0, ORIGIN)
"""The same, with the file each row came from."""

ALIGNMENTS = pa.list_(pa.field("item", pa.int32(), nullable=False))
"""Which words of a row mean the same: one of the source and one of the target (from 0), pair after pair."""

_PATH = "path"


class Rows(Protocol):
    """Rows as columns, among them `line`, `source` and `target`: `Records`, or a table of Arrow, which has `origin`."""

    def __len__(self) -> int: ...

    @property
    def column_names(self) -> list[str]: ...

    def column(self, name: str, /) -> Any: ...

    def filter(self, mask: pa.BooleanArray, /) -> Any: ...


@dataclass(frozen=True)
class Records:
    """Rows of one input file, as columns of equal length.

    Attributes:
        lines: int64, counts from 1.
        source: string, or the values of a side that is no text; no nulls.
        target: The same of the target.
        score: float64, finite, no nulls; None where the corpus has no score.
        alignment: `ALIGNMENTS`, no nulls; None where the corpus says nothing of it.
    """

    lines: pa.Int64Array
    source: pa.Array
    target: pa.Array
    score: pa.DoubleArray | None = None
    alignment: pa.ListArray | None = None

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def column_names(self) -> list[str]:
        """The names that `column` knows."""
        return ["line", "source", "target"]

    def column(self, name: str) -> pa.Array:
        """A column by the name it has in tables."""
        return {"line": self.lines, "source": self.source, "target": self.target}[name]

    def filter(self, mask: pa.BooleanArray) -> Records:
        """The rows where `mask` is true."""
        score, alignment = (None if more is None else more.filter(mask) for more in (self.score, self.alignment))
        return Records(self.lines.filter(mask), self.source.filter(mask), self.target.filter(mask), score, alignment)


R = TypeVar("R", bound=Rows, default=Records)


@dataclass(frozen=True)
class Sifted(Generic[R]):
    """Rows that go on, and rows that do not (columns of `REJECTS`, or of `REJECTS_OF_FILES` where rows have those)."""

    kept: R
    rejected: pa.Table

    @property
    def read(self) -> int:
        """How many rows there were."""
        return len(self.kept) + int(self.rejected.num_rows)


class Problem(NamedTuple):
    """Why one row of a batch cannot be read: its position, the rule, what was measured, what is allowed."""

    row: int
    rule: str
    value: str
    threshold: str


def set_aside(records: Records, problems: Sequence[Problem]) -> Sifted:
    """Part a batch as it was read into readable rows and rows with a problem, the first one.

    Columns may be null in rows with a problem.
    """
    if not problems:
        return Sifted(records, reject_nothing())
    first = {problem.row: problem for problem in reversed(problems)}
    failed: npt.NDArray[np.bool_] = np.zeros(len(records), np.bool_)
    failed[[*first]] = True
    _, rules, values, thresholds = zip(*(first[row] for row in sorted(first)), strict=True)
    return _parted(records, pa.array(failed), [pa.array(texts, pa.string()) for texts in (rules, values, thresholds)])


def reject(rows: R, failed: pa.BooleanArray, rule: str, values: pa.StringArray, threshold: str) -> Sifted[R]:
    """Part rows by the verdict of a rule.

    Args:
        rows: Records of a file, or a table of a shard's rows.
        failed: Which rows the rule rejects, no nulls.
        rule: Its name.
        values: What was measured, a text for each failed row in order.
        threshold: What passes.
    """
    if not len(values):
        return Sifted(rows, reject_nothing(with_origin="origin" in rows.column_names))
    names, thresholds = (pa.repeat(pa.scalar(text, pa.string()), len(values)) for text in (rule, threshold))
    return _parted(rows, failed, [names, values, thresholds])


@functools.cache
def reject_nothing(*, with_origin: bool = False) -> pa.Table:
    """No rejected rows."""
    return (REJECTS_OF_FILES if with_origin else REJECTS).empty_table()


def rejects_of(origin: str, rejects: Iterable[pa.Table]) -> pa.Table:
    """What was rejected of one file (columns of `REJECTS`), in one table with the file's name."""
    table = pa.concat_tables([reject_nothing(), *rejects])
    return table.add_column(0, ORIGIN, pa.repeat(pa.scalar(origin, pa.string()), table.num_rows))


def _parted(rows: R, failed: pa.BooleanArray, reasons: Sequence[pa.StringArray]) -> Sifted[R]:
    """Rows without those that failed; these, with rule, value and threshold of each.

    A side that is no text is shown by its `path`, where it has one.
    """
    gone = rows.filter(failed)
    schema = REJECTS_OF_FILES if "origin" in rows.column_names else REJECTS
    columns = dict(zip(("rule", "value", "threshold"), reasons, strict=True))
    columns |= {name: gone.column(name) for name in schema.names if name not in columns}
    columns |= {side: _shown(columns[side]) for side in ("source", "target")}
    rejected = pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
    return Sifted(rows.filter(pc.invert(failed)), rejected)


def text_of(column: pa.Array) -> pa.StringArray:
    """The texts of a side; empty ones where it is no text."""
    return column.cast(pa.string()) if _is_text(column.type) else pa.repeat(pa.scalar("", pa.string()), len(column))


def _shown(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """The texts of a side, or what is told of it in their place."""
    if not pa.types.is_struct(column.type) or column.type.get_field_index(_PATH) < 0:
        return column if _is_text(column.type) else pa.nulls(len(column))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    found = [text for chunk in chunks for text in chunk.field(_PATH).to_pylist()]
    return pa.array([text.decode(errors="replace") if isinstance(text, bytes) else text for text in found], pa.string())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
