"""Samples in, log-mel filter banks out, by Kaldi's convention: what a speech encoder reads.

The numbers are those of Kaldi's `compute-fbank-feats --dither=0` (Povey et al. 2011), within rounding: samples count
in units of 16 bits, each frame loses its mean, is pre-emphasised, and weighted by Povey's window; then the power
spectrum, triangles that are equally wide in mel, and the natural logarithm.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic

from seq2seq_core.audio.signal import FULL_SCALE
from seq2seq_core.audio.terms import Samples
from seq2seq_core.config import Config

Frames = npt.NDArray[np.float32]
"""Shape (frames, mels)."""

_PREEMPHASIS = 0.97
_POVEY = 0.85
_AT_ONCE = 256
_FLOOR = np.finfo(np.float32).eps


class FilterBankConfig(Config):
    """How samples become frames."""

    rate: int = pydantic.Field(default=16_000, ge=1000, le=192_000, description="Samples a second.")
    mels: int = pydantic.Field(default=80, ge=4, le=256, description="Numbers a frame.")
    frame_ms: float = pydantic.Field(default=25.0, gt=0, le=200, description="Milliseconds that a frame sees.")
    shift_ms: float = pydantic.Field(default=10.0, gt=0, le=200, description="Milliseconds from frame to frame.")
    low_hz: float = pydantic.Field(default=20.0, ge=0, description="Where the lowest triangle begins.")
    high_hz: float = pydantic.Field(
        default=0.0, description="Where the highest triangle ends; 0 and below count from half the rate."
    )

    @property
    def frame(self) -> int:
        """Samples that a frame sees."""
        return int(self.rate * 0.001 * self.frame_ms)

    @property
    def shift(self) -> int:
        """Samples from frame to frame."""
        return int(self.rate * 0.001 * self.shift_ms)

    def frames_of(self, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """How many frames so many samples make: only those that see samples alone."""
        return np.asarray(np.maximum(0, 1 + (np.asarray(samples, np.int64) - self.frame) // self.shift), np.int64)

    def log_mel(self, x: Samples) -> Frames:
        """The frames of a signal at `rate`; memory is bounded by its output, whatever its length."""
        count = int(self.frames_of(np.asarray(len(x))))
        found = np.empty((count, self.mels), np.float32)
        tables = _tables(self)
        for begin in range(0, count, _AT_ONCE):
            end = min(begin + _AT_ONCE, count)
            piece = x[begin * self.shift : (end - 1) * self.shift + self.frame]
            _log_mel(piece, self.shift, tables, found[begin:end])
        return found


def utterance_cmvn(frames: npt.NDArray[Any]) -> Frames:
    """Each coefficient less its mean and over its deviation within the utterance; of one frame, zeros."""
    if not len(frames):
        return frames.astype(np.float32)
    wide = frames.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    deviation = np.sqrt(np.mean(np.square(centred), axis=0))
    return np.asarray(centred / np.maximum(deviation, 1e-5), np.float32)


class _Tables:
    """What all frames of a configuration share: window (frame,), mel matrix (bins x mels), points of the transform."""

    def __init__(self, config: FilterBankConfig) -> None:
        self.points = 1 << (config.frame - 1).bit_length()
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.frame) / (config.frame - 1))
        self.window = (hann**_POVEY).astype(np.float32)
        self.mels = _mel_matrix(config, self.points)


@functools.lru_cache(maxsize=8)
def _tables(config: FilterBankConfig) -> _Tables:
    return _Tables(config)


def _mel_matrix(config: FilterBankConfig, points: int) -> npt.NDArray[np.float32]:
    """The share that each bin of the spectrum has in each triangle."""
    nyquist = config.rate / 2
    high = config.high_hz if config.high_hz > 0 else nyquist + config.high_hz
    edges = np.linspace(_mel(config.low_hz), _mel(high), config.mels + 2)
    bins = _mel(np.arange(points // 2) * (config.rate / points))[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    shares = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(shares, 0), np.float32)


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _log_mel(x: Samples, shift: int, tables: _Tables, out: Frames) -> None:
    """Pre-emphasis needs no frame of its own: taking away the mean first takes 0.03 of it away, and the first sample
    of a frame, which has none before it, has no weight in the window.
    """
    frame = len(tables.window)
    wide = x.astype(np.float64) * FULL_SCALE
    sums = np.concatenate([[0.0], np.cumsum(wide)])
    starts = np.arange(len(out)) * shift
    means = (sums[starts + frame] - sums[starts]) / frame
    emphasised = np.zeros(len(wide), np.float32)
    emphasised[1:] = wide[1:] - _PREEMPHASIS * wide[:-1]
    views = np.lib.stride_tricks.sliding_window_view(emphasised, frame)[::shift]
    padded = np.zeros((len(out), tables.points), np.float32)
    np.subtract(views, ((1 - _PREEMPHASIS) * means).astype(np.float32)[:, None], out=padded[:, :frame])
    padded[:, :frame] *= tables.window
    spectrum = np.fft.rfft(padded, axis=1)[:, :-1]
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    np.log(np.maximum(power @ tables.mels, _FLOOR), out=out)
