"""Arrays in; the lengths and weights of rows, as a stream of batches asks for them, out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.dataset.reader import Lengths, Weights


@dataclass(frozen=True)
class ArrayLengths:
    """Lengths that are kept in memory."""

    source: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]

    @property
    def rows(self) -> int:
        return len(self.source)

    def of(self, rows: npt.NDArray[np.int64]) -> Lengths:
        return Lengths(self.source[rows], self.target[rows])

    def between(self, begin: int, end: int) -> Lengths:
        return Lengths(self.source[begin:end], self.target[begin:end])


def weights_of(weights: npt.NDArray[np.float64]) -> Weights:
    values, codes = np.unique(weights, return_inverse=True)
    return Weights(values, codes.astype(np.uint8))
