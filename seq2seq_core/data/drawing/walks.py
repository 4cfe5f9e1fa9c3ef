"""The rows of several datasets, and how many of each an epoch draws, in; the rows of an epoch out.

Each dataset is walked in its own random order, and begins again in another one when it is through: an epoch has the
next so many rows of each. So no row is drawn once more before all others of its dataset were, whatever its share is.
Where the walk stands in an epoch follows from the epoch's number, and nothing of earlier epochs has to be made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.data.drawing.chance import chances, low, random_bits, shuffled
from seq2seq_core.dataset.reader import Weights

Numbers = npt.NDArray[np.uint32]

_WALKING = 2  # the use of random bits by which a dataset is walked


@dataclass(frozen=True)
class Walk:
    """Datasets whose rows follow one another.

    Attributes:
        ends: The number of the row behind the last of each.
        draws: How many rows of each an epoch has.
    """

    ends: tuple[int, ...]
    draws: tuple[int, ...]

    def drawn(self, seed: int, epoch: int, kept: Numbers, weights: Weights | None) -> Numbers:
        """The rows of an epoch, dataset by dataset.

        Args:
            seed: Of every random choice.
            epoch: Its number, from 0.
            kept: The rows that are trained on, in order; some of each dataset.
            weights: How often a dataset's walk comes by each row; None: once.
        """
        edges = [0, *np.searchsorted(kept, self.ends).tolist()]
        pieces = [
            piece
            for index, draws in enumerate(self.draws)
            for piece in _walked(seed, index, epoch * draws, draws, kept[edges[index] : edges[index + 1]], weights)
        ]
        return np.concatenate(pieces)


def _walked(seed: int, index: int, begin: int, draws: int, own: Numbers, weights: Weights | None) -> list[Numbers]:
    """Some rows of the walk of a dataset, from one place on; those of one round after the other."""
    length = len(own) if weights is None else max(1, round(_weight(own, weights)))
    end, found = begin + draws, list[Numbers]()
    for number in range(begin // length, -(-end // length)):
        round_ = _round(random_bits(seed, number, index, _WALKING), own, weights, length)
        found.append(round_[max(0, begin - number * length) : end - number * length])
    return found


def _round(bits: np.random.Philox, own: Numbers, weights: Weights | None, length: int) -> Numbers:
    """All rows in random order; by their weights some are there more often, or only in some rounds.

    With weights a mark stands at every whole number of their running sum, moved by chance: a row comes as often as
    marks are in its part, and a round is always as long.
    """
    rows = own[low(shuffled(bits, len(own)))]
    if weights is None:
        return rows
    sums = np.cumsum(weights.of(rows))
    sums *= length / sums[-1]
    sums[-1] = length
    marks = np.floor(sums + chances(bits, 1)[0]).astype(np.int64)
    return np.repeat(rows, np.diff(marks, prepend=0))


def _weight(rows: Numbers, weights: Weights) -> float:
    """The sum of the weights of some rows, the same on every machine."""
    counts = np.bincount(weights.codes[rows], minlength=len(weights.values)).tolist()
    return float(sum(count * weight for count, weight in zip(counts, weights.values.tolist(), strict=True)))
