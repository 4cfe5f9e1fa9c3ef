"""Pieces of many words, found step by step, in; the pieces word after word out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


class Cuts(NamedTuple):
    """Words as pieces: all of them one word after the other, and how many each word has."""

    pieces: Numbers
    counts: Numbers

    @classmethod
    def reversed(cls, words: int, steps: Sequence[tuple[Numbers, Numbers]]) -> Self:
        """Of words and a piece of each, step after step, from the last piece of a word to its first."""
        counts = np.zeros(words, np.int64)
        for found, _ in steps:
            counts[found] += 1
        ends = np.cumsum(counts)
        pieces = np.empty(int(counts.sum()), np.int64)
        for number, (found, some) in enumerate(steps):
            pieces[ends[found] - 1 - number] = some
        return cls(pieces, counts)

    def replaced(self, other: Cuts, chosen: npt.NDArray[np.bool_]) -> Cuts:
        """These words, but for the chosen ones those of `other`, which has no more than the chosen ones."""
        counts = self.counts.copy()
        counts[chosen] = other.counts
        is_other = np.repeat(chosen, counts)
        pieces = np.empty(len(is_other), np.int64)
        pieces[is_other] = other.pieces
        pieces[~is_other] = self.pieces[~np.repeat(chosen, self.counts)]
        return Cuts(pieces, counts)

    def of(self, chosen: npt.NDArray[np.bool_]) -> Cuts:
        """The chosen words alone."""
        return Cuts(self.pieces[np.repeat(chosen, self.counts)], self.counts[chosen])
