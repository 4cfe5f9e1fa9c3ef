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


def decibels(power: Any) -> Any:
    """Of a mean square; at least -120."""
    return 10 * np.log10(np.maximum(power, _LEAST))


def frame_levels(x: Samples, rate: int) -> Levels:
    """The level of each frame; the last may see less than 10 ms."""
    return levels_of([x], rate)


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


def speech_scores(levels: Levels) -> npt.NDArray[np.float32]:
    """How many dB each frame stands above the noise floor, which follows the recording."""
    if not len(levels):
        return levels
    floor = float(np.percentile(levels, 15))
    return levels - np.float32(max(floor, -70.0))
