"""A test of bytes in, where it holds out, asked of a whole column piece by piece.

What NumPy computes on the way to an answer then stays in the processor's cache. Made for a whole column, such masks go
through memory, which takes three times as long (measured) and is shared by all threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

_PIECE = 1 << 17

_Values = npt.NDArray[Any]
_Mask = npt.NDArray[np.bool_]


def mark(values: _Values, test: Callable[[_Values], _Mask]) -> _Mask:
    """Whether the test holds, for each of the values: bool, in their number."""
    mask = np.empty(len(values), np.bool_)
    for begin in range(0, len(values), _PIECE):
        mask[begin : begin + _PIECE] = test(values[begin : begin + _PIECE])
    return mask


def find(values: _Values, test: Callable[[_Values], _Mask], beyond: int = 0) -> npt.NDArray[np.int64]:
    """Where the test holds, ascending.

    Args:
        values: What to look at.
        test: Some values in a row in, an answer for all but the last `beyond` of them out.
        beyond: How many values behind one the answer for it depends on.
    """
    begins = range(0, len(values) - beyond, _PIECE)
    found = [begin + np.flatnonzero(test(values[begin : begin + _PIECE + beyond])) for begin in begins]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def stretches(mask: _Mask, length: int) -> _Mask:
    """Where `length` true values in a row begin, by doubling: 32 in a row are twice 16 in a row."""
    size = 1
    while size < length:
        step = min(size, length - size)
        mask = mask[:-step] & mask[step:]
        size += step
    return mask
