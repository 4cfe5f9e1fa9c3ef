"""A seed, an epoch and what for in; random bits and orders, the same on every machine and in every version, out."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

_CHUNK_ROWS = 1 << 17


def random_bits(seed: int, epoch: int, entry: int = 0, use: int = 0) -> np.random.Philox:
    """Random bits for an epoch, and in it for each entry of rows and each use of them others, wherever one looks.

    The raw bits of Philox are fixed by its definition; NumPy may change what its distributions make of them.
    """
    return np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=np.array([0, 0, use, entry], np.uint64))


def random_order(bits: np.random.Philox, count: int) -> npt.NDArray[np.int64]:
    """A random permutation of 0 .. count - 1."""
    return low(shuffled(bits, count))


def shuffled(bits: np.random.Philox, count: int) -> npt.NDArray[np.uint64]:
    """A random permutation of 0 .. count - 1, in the low 32 bits: the order of as many random 32-bit numbers.

    The position is packed below the number: plain sorting is then a stable argsort, several times as fast as one.
    """
    packed = np.empty(count, np.uint64)
    for begin, end in itertools.pairwise([*range(0, count, _CHUNK_ROWS), count]):
        raw = bits.random_raw(end - begin) & ~np.uint64(0xFFFF_FFFF)
        packed[begin:end] = raw | np.arange(begin, end, dtype=np.uint64)
    packed.sort()
    return packed


def low(packed: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The positions in what `shuffled` gives."""
    return (packed & np.uint64(0xFFFF_FFFF)).astype(np.int64)


def chances(bits: np.random.Philox, count: int) -> npt.NDArray[np.float64]:
    """Numbers from 0 up to 1, the latter left out."""
    found: npt.NDArray[np.float64] = (bits.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found
