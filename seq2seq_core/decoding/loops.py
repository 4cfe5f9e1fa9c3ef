"""Sequences of ids in, how often each repeats itself in a row out: the sign that a model has fallen into a loop.

Shape legend: B sequences, P ids of all sequences end to end, n ids of what is repeated (1 to N).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]

FEWEST_REPETITIONS = 4
_LONGEST = 8  # N
_FEWEST = np.array([6] + [FEWEST_REPETITIONS] * (_LONGEST - 1))
"""Repetitions that make a loop: with these no sentence of 275,000 was called one."""
_MORE_THAN_SOURCE = 2


def find_loops(outputs: Sequence[Ids], sources: Sequence[Ids]) -> npt.NDArray[np.bool_]:
    """Which outputs repeat up to 8 ids four times in a row, or one id six times (bool, B).

    What the source repeats itself is no loop: the output has to do it more than twice as often.
    """
    if not outputs:
        return np.zeros(0, np.bool_)
    found_BN = _repetitions(outputs)
    looping = found_BN >= _FEWEST
    if looping.any():
        looping &= found_BN > _MORE_THAN_SOURCE * _repetitions(sources).max(1, keepdims=True)
    return np.asarray(looping.any(1))


def _repetitions(sequences: Sequence[Ids]) -> npt.NDArray[np.int64]:
    """How often each sequence has the same n ids in a row, at most (int64, B x N; 1 where nothing is repeated)."""
    lengths_B = np.fromiter(map(len, sequences), np.int64, len(sequences))
    ids_P = np.concatenate(sequences)
    owner_P = np.repeat(np.arange(len(sequences)), lengths_B)
    found_BN = np.ones((len(sequences), _LONGEST), np.int64)
    for n in range(1, _LONGEST + 1):
        same = (ids_P[n:] == ids_P[:-n]) & (owner_P[n:] == owner_P[:-n])
        borders = np.flatnonzero(np.diff(same, prepend=False, append=False))
        starts, ends = borders[::2], borders[1::2]
        np.maximum.at(found_BN[:, n - 1], owner_P[starts], (ends - starts) // n + 1)
    return found_BN
