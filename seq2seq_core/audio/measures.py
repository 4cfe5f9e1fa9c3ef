"""Samples of one utterance in, what rules and reports judge of them out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2seq_core.audio.energy import decibels, frame_levels
from seq2seq_core.audio.signal import root_mean_square
from seq2seq_core.audio.terms import Samples

_FULL = 32766.5 / 32768
_QUIET_DBFS = -60.0
_BELOW_LOUD_DB = 35.0
_LOUD_PERCENTILE = 95


class Measures(NamedTuple):
    """Of an utterance.

    Attributes:
        seconds: How long it is.
        silent: Share of frames of 10 ms below -60 dBFS, or 35 dB below the loud ones (their 95th percentile).
        clipped: Share of samples at full scale.
        level: Root mean square, in dBFS; at least -120.
    """

    seconds: float
    silent: float
    clipped: float
    level: float


def measure(x: Samples, rate: int) -> Measures:
    """All of them; of no samples, silence."""
    if not len(x):
        return Measures(seconds=0.0, silent=1.0, clipped=0.0, level=float(decibels(0.0)))
    levels = frame_levels(x, rate)
    threshold = max(_QUIET_DBFS, float(np.percentile(levels, _LOUD_PERCENTILE)) - _BELOW_LOUD_DB)
    return Measures(
        seconds=len(x) / rate,
        silent=np.count_nonzero(levels < threshold) / len(levels),
        clipped=np.count_nonzero(np.abs(x) >= _FULL) / len(x),
        level=float(decibels(root_mean_square(x) ** 2)),
    )
