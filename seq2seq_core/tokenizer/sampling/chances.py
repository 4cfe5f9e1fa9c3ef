"""Numbers that name a place in; random numbers that are the same for it wherever and whenever one looks out.

A place is a seed, a use of random numbers, a position in a stream, a row and a place in the row. Nothing is drawn one
after the other: each number is the place, mixed by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast
Splittable Pseudorandom Number Generators", figure 16). So whoever computes a row, and after whatever resumption, finds
the same numbers.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.integer]

_STEP = 0x9E37_79B9_7F4A_7C15  # 2^64 divided by the golden ratio: multiples of it lie far apart
_MASK = (1 << 64) - 1


def keys_of_rows(seed: int, use: int, positions: Integers, rows: Integers) -> Keys:
    """A key for each row of a stream, at the position of its batch."""
    keys = np.zeros(len(rows), np.uint64)
    for place in (seed & _MASK, use, positions, rows):
        keys = within(keys, place)
    return keys


def within(keys: Keys, places: Integers | int) -> Keys:
    """A key for a place inside each of what the keys name."""
    with np.errstate(over="ignore"):
        counters = np.array(places, np.uint64) + np.uint64(1)
        return _mixed(keys + counters * np.uint64(_STEP))


def draws(keys: Keys) -> npt.NDArray[np.float64]:
    """A number of the uniform distribution over [0, 1) for each key."""
    return (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(values: Keys) -> Keys:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return values ^ (values >> np.uint64(31))
