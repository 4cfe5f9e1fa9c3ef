"""A histogram of lengths in, the few numbers that describe it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_core.dataset.sides import Sides


@dataclass(frozen=True)
class Lengths:
    """Of some rows: their number, and mean, median, 99th percentile and maximum of their lengths.

    A histogram's last bin counts all longer rows too, so the maximum may be an understatement.
    """

    rows: int
    mean: float
    median: int
    percentile_99: int
    longest: int


def units_of(sides: Sides) -> str:
    """What the lengths of both sides are counted in."""
    return " and ".join(dict.fromkeys(side.modality.unit for side in sides.values()))


def describe_lengths(histogram: Sequence[int]) -> Lengths | None:
    """`histogram[i]` counts rows of length i; None when it counts none."""
    counts = np.asarray(histogram, np.int64)
    rows = int(counts.sum())
    if not rows:
        return None
    cumulative = np.cumsum(counts)
    median, high = (int(np.searchsorted(cumulative, share * rows)) for share in (0.5, 0.99))
    mean = float(np.dot(counts, np.arange(len(counts))) / rows)
    return Lengths(rows, mean, median, high, int(np.flatnonzero(counts)[-1]))
