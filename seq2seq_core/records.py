"""The columnar noun of text preparation: rows a reader or rule lets through, and rows set aside with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
"""Rows set aside: line counts from 1; a side is null where its bytes could not be read."""


@dataclass(frozen=True)
class Records:
    """Rows of one input file, as columns of equal length.

    Attributes:
        lines: int64, counts from 1.
        source: string, no nulls.
        target: string, no nulls.
        score: float64, finite, no nulls; None where the corpus has no score.
    """

    lines: pa.Int64Array
    source: pa.StringArray
    target: pa.StringArray
    score: pa.DoubleArray | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def keep(self, mask: pa.BooleanArray) -> Records:
        """The rows where `mask` is true."""
        score = None if self.score is None else self.score.filter(mask)
        return Records(self.lines.filter(mask), self.source.filter(mask), self.target.filter(mask), score)


@dataclass(frozen=True)
class Sifted:
    """Rows that go on, and rows that do not (columns of `REJECTS`)."""

    kept: Records
    rejected: pa.RecordBatch

    @property
    def read(self) -> int:
        return len(self.kept) + int(self.rejected.num_rows)


class Problem(NamedTuple):
    """Why one row of a batch cannot be read: its position, the rule, what was measured, what is allowed."""

    row: int
    rule: str
    value: str
    threshold: str


def set_aside(
    lines: pa.Array,
    source: pa.Array,
    target: pa.Array,
    problems: Sequence[Problem],
    score: pa.DoubleArray | None = None,
) -> Sifted:
    """Split a batch as it was read into readable rows and rows with a problem, the first one.

    Sides and score may be null in rows with a problem.
    """
    records = Records(lines, source, target, score)
    if not problems:
        return Sifted(records, reject_nothing())
    first = {problem.row: problem for problem in reversed(problems)}
    rows = sorted(first)
    mask: npt.NDArray[np.bool_] = np.ones(len(lines), np.bool_)
    mask[rows] = False
    rejected = pa.record_batch(
        [
            lines.take(rows),
            pa.array([first[row].rule for row in rows], pa.string()),
            pa.array([first[row].value for row in rows], pa.string()),
            pa.array([first[row].threshold for row in rows], pa.string()),
            source.take(rows),
            target.take(rows),
        ],
        schema=REJECTS,
    )
    return Sifted(records.keep(pa.array(mask)), rejected)


def reject(records: Records, failed: pa.BooleanArray, rule: str, values: pa.StringArray, threshold: str) -> Sifted:
    """Split rows by a rule; `values` holds what was measured, one string for each failed row in order."""
    if not len(values):
        return Sifted(records, reject_nothing())
    gone = records.keep(failed)
    constant = [pa.repeat(pa.scalar(text, pa.string()), len(gone)) for text in (rule, threshold)]
    rejected = pa.record_batch([gone.lines, constant[0], values, constant[1], gone.source, gone.target], schema=REJECTS)
    return Sifted(records.keep(pc.invert(failed)), rejected)


def reject_nothing() -> pa.RecordBatch:
    """No rejected rows."""
    return pa.RecordBatch.from_pylist([], REJECTS)
