"""Frames in; the same with mean 0 and deviation 1 out, by each row alone or by statistics of a whole training split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.modalities.base import Ragged

_LEAST_DEVIATION = 1e-5

_Number = Annotated[float, Field(ge=-1e6, le=1e6)]


class Statistics(Config):
    """Mean and deviation of every number of a frame, over a sample of a training split; empty where unknown."""

    mean: tuple[_Number, ...] = Field((), description="means, one for each mel; default: of the training split")
    deviation: tuple[_Number, ...] = Field((), description="deviations, likewise")


def sums_of(frames: npt.NDArray[Any]) -> tuple[float, ...]:
    """How many frames there are, then the sum, then the sum of squares of each of their numbers."""
    wide = frames.astype(np.float64)
    return (float(len(wide)), *wide.sum(axis=0).tolist(), *np.square(wide).sum(axis=0).tolist())


def statistics_of(sums: Sequence[Sequence[float]]) -> Statistics:
    """The statistics of all frames that sums are of; empty ones of no frames."""
    count, *totals = [math.fsum(column) for column in zip(*filter(None, sums), strict=True)] or [0.0]
    if not count:
        return Statistics()
    means, squares = np.array(totals).reshape(2, -1) / count
    deviations = np.sqrt(np.maximum(squares - np.square(means), 0))
    return Statistics(mean=tuple(means.tolist()), deviation=tuple(deviations.tolist()))


def by_statistics(frames: npt.NDArray[Any], statistics: Statistics) -> npt.NDArray[np.float32]:
    """Frames as they stand to those of the training split."""
    found = frames - np.array(statistics.mean, np.float32)
    found /= np.maximum(np.array(statistics.deviation, np.float32), _LEAST_DEVIATION)
    return found


def by_row(rows: Ragged) -> npt.NDArray[np.float32]:
    """All frames, those of each row as they stand to its own."""
    filled = rows.lengths[rows.lengths > 0]
    begins = np.cumsum(filled) - filled
    found = rows.flat.astype(np.float32)
    found -= np.repeat(_means(found, begins, filled), filled, axis=0)
    deviation = np.sqrt(_means(np.square(found), begins, filled))
    found /= np.repeat(np.maximum(deviation, _LEAST_DEVIATION), filled, axis=0)
    return found


def _means(
    values: npt.NDArray[np.float32], begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """The mean of every row, by itself: what its neighbours are changes no bit of it."""
    sums = np.add.reduceat(values, begins, axis=0, dtype=np.float64)
    return np.asarray(sums / lengths[:, None], np.float32)
