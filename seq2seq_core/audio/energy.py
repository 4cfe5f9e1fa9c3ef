"""Samples in, their level in frames of 10 ms out; and what follows from levels alone: speech, and quiet places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import Samples

Levels = npt.NDArray[np.float32]
"""dBFS of each frame of 10 ms, shape (frames,)."""

FRAMES_A_SECOND = 100
_LEAST = 1e-12  # -120 dBFS
_SMOOTHED = 5
_HOP, _AROUND = 500, 1500  # frames: the noise is looked at every 5 seconds, 15 seconds to both sides
_QUIET_AND_LOUD = (10, 95)  # percentiles
_SHARE_OF_WAY, _LEAST_MARGIN = 0.35, 3.0
_LEAST_FLOOR = -70.0


def decibels(power: Any) -> Any:
    """Of a mean square; at least -120."""
    return 10 * np.log10(np.maximum(power, _LEAST))


def frame_levels(x: Samples, rate: int) -> Levels:
    """The level of each frame; the last may see less than 10 ms."""
    return _levels(x, frame_size(rate))


def levels_of(blocks: Iterable[Samples], rate: int) -> Levels:
    """The same for samples that come one block after the other; 360,000 numbers an hour."""
    size = frame_size(rate)
    found = [_levels(block, size) for block in whole_frames(blocks, size)]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def frame_size(rate: int) -> int:
    """Samples of a frame."""
    return max(1, rate // FRAMES_A_SECOND)


def whole_frames(blocks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """The same samples, in blocks of a whole number of frames; the last block may end within one."""
    rest = np.zeros(0, np.float32)
    for block in blocks:
        joined = np.concatenate([rest, block]) if len(rest) else block
        whole = len(joined) // size * size
        if whole:
            yield joined[:whole]
        rest = joined[whole:]
    if len(rest):
        yield rest


def _levels(x: Samples, size: int) -> Levels:
    if not len(x):
        return np.zeros(0, np.float32)
    starts = np.arange(0, len(x), size)
    sums = np.add.reduceat(np.square(x, dtype=np.float64), starts)
    counts = np.minimum(size, len(x) - starts)
    return np.asarray(decibels(sums / counts), np.float32)


def quietest(x: Samples, rate: int, begin: int, end: int) -> int:
    """The sample in [begin, end) that lies in the middle of the quietest 100 ms: where a long recording is cut."""
    size = frame_size(rate)
    first = max(0, begin) // size
    window = x[first * size : max(end, begin + 1)]
    place = first * size + quietest_frame(frame_levels(window, rate), 0, -(-len(window) // size)) * size + size // 2
    return int(min(max(place, begin), end - 1))


def quietest_frame(levels: Levels, begin: int, end: int, width: int = 10) -> int:
    """The frame in [begin, end) around which `width` frames are the quietest; the first of several."""
    lowest, highest = max(0, begin - width // 2), min(len(levels), end + width // 2)
    power = 10 ** (levels[lowest:highest].astype(np.float64) / 10)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    places = np.arange(begin, end) - lowest
    left, right = np.maximum(places - width // 2, 0), np.minimum(places - width // 2 + width, len(power))
    means = (sums[right] - sums[left]) / (right - left)
    return begin + int(np.argmin(means))


def above_noise(levels: Levels, margin_db: float) -> Levels:
    """How far each frame, smoothed, stands above the noise: 1 is where speech begins.

    Noise is what is quiet within a quarter of a minute before and after, and not less than -70 dBFS, so that digital
    silence is no noise to stand above. Speech begins `margin_db` above it, or at a third of the way to what is loud
    there, where that is less: in loud noise the way is short.
    """
    if not len(levels):
        return levels
    smooth = 10 * np.log10(_moving_mean(10 ** (levels.astype(np.float64) / 10), _SMOOTHED))
    centres = np.arange(_HOP // 2, max(len(levels), _HOP // 2 + 1), _HOP)
    around = [smooth[max(0, centre - _AROUND) : centre + _AROUND] for centre in centres]
    quiet, loud = np.transpose([_percentiles(window) for window in around])
    quiet = np.maximum(quiet, _LEAST_FLOOR)
    margins = np.clip((loud - quiet) * _SHARE_OF_WAY, min(_LEAST_MARGIN, margin_db), margin_db)
    places = np.arange(len(levels))
    return np.asarray((smooth - np.interp(places, centres, quiet)) / np.interp(places, centres, margins), np.float32)


def _percentiles(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What is quiet and what is loud among values; `numpy.percentile` takes four times as long (measured)."""
    places = np.arange(len(values)) * (100 / max(1, len(values) - 1))
    return np.interp(_QUIET_AND_LOUD, places, np.sort(values))


def _moving_mean(values: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    """Over so many (odd) frames around each, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    left, right = np.maximum(places - width // 2, 0), np.minimum(places + width // 2 + 1, len(values))
    return np.asarray(np.maximum((sums[right] - sums[left]) / (right - left), _LEAST))
