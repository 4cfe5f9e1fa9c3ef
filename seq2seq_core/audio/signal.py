"""Samples in, samples out: one channel, another rate, another speed, another level, other numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import AudioError, Samples, Signal

FULL_SCALE = 32768
_QUALITY = "HQ"


def mono(signal: Signal, channel: int | None = None) -> Samples:
    """One channel: the mean of all, or that of a number.

    Raises:
        AudioError: There is no such channel (`channel`).
    """
    return one_channel(signal.samples, channel)


def one_channel(samples: npt.NDArray[np.float32], channel: int | None = None) -> Samples:
    """The same for samples alone (n x channels)."""
    channels = samples.shape[1]
    if channel is not None and not 0 <= channel < channels:
        raise AudioError("channel", found=f"{channels} channels", expected=f"channel {channel}, counted from 0")
    if channel is not None or channels == 1:
        return np.ascontiguousarray(samples[:, channel or 0])
    mixed: Samples = samples.mean(axis=1, dtype=np.float32)
    return mixed


def resample(x: Samples, rate: int, to: int) -> Samples:
    """Samples at another rate, by a windowed sinc filter (soxr, high quality); the same array where it has it."""
    if rate == to or not len(x):
        return x
    import soxr

    found: Samples = soxr.resample(x, rate, to, quality=_QUALITY)
    return found


def resampled(blocks: Iterable[Samples], rate: int, to: int) -> Iterator[Samples]:
    """The same for samples that come one block after the other: together they are what `resample` makes of all."""
    if rate == to:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, to, 1, dtype="float32", quality=_QUALITY)
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def change_speed(x: Samples, factor: float) -> Samples:
    """Faster (above 1) or slower speech, its pitch changed alike (Ko et al. 2015, Audio augmentation for speech
    recognition).
    """
    if factor == 1 or not len(x):
        return x
    import soxr

    found: Samples = soxr.resample(x, factor, 1.0, quality=_QUALITY)
    return found


def to_loudness(x: Samples, dbfs: float) -> Samples:
    """Samples whose root mean square stands so many decibels from full scale; less where they would clip.

    Digital silence stays as it is.
    """
    peak = float(np.abs(x).max(initial=0))
    if peak == 0:
        return x
    gain = 10 ** (dbfs / 20) / root_mean_square(x)
    return x * np.float32(min(gain, 1 / peak))


def root_mean_square(x: Samples) -> float:
    """Summed in float64; 0 where there are no samples."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) if len(x) else 0.0


def pcm16(x: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """Rounded to 16 bits; what lies beyond full scale is clipped to it."""
    return np.clip(np.rint(x * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def from_pcm16(pcm: npt.NDArray[np.int16]) -> Samples:
    """The float32 samples in [-1, 1) that 16 bits stand for; `pcm16` takes them back exactly."""
    return pcm.astype(np.float32) / np.float32(FULL_SCALE)
