"""Samples in, log-mel filter banks out, by Kaldi's convention: what a speech encoder reads.

The numbers are those of Kaldi's `compute-fbank-feats --dither=0` (Povey et al. 2011), within rounding: samples count
in units of 16 bits, each frame loses its mean, is pre-emphasised, and weighted by Povey's window; then the power
spectrum, triangles that are equally wide in mel, and the natural logarithm.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self

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
_FEWEST = 16
_AT_ONCE = 256
_TOGETHER = 32
_ALONE = 1 << 18  # multiplications that OpenBLAS does in one thread
_BANDS = 4
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

    @pydantic.model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.shift < 1 or self.frame < _FEWEST:
            raise ValueError(f"frame_ms and shift_ms: {self.frame} and {self.shift} samples are too few at this rate")
        if not self.low_hz < self.highest <= self.rate / 2:
            raise ValueError("high_hz: has to lie above low_hz, and not above half the rate")
        if not (_mel_matrix(self, _points(self.frame)) > 0).any(axis=0).all():
            raise ValueError("mels: some triangles are so narrow that they see nothing; fewer mels or longer frames do")
        return self

    @property
    def highest(self) -> float:
        """Where the highest triangle ends, in hertz."""
        return self.high_hz if self.high_hz > 0 else self.rate / 2 + self.high_hz

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
        """The frames of a signal at `rate`; besides them, memory is the same for any length.

        A frame depends on its samples alone, to the bit.
        """
        return next(self.log_mels([x]))

    def log_mels(self, signals: Iterable[Samples]) -> Iterator[Frames]:
        """Those of each of many signals."""
        bench = _Bench(_tables(self))
        for x in signals:
            count = int(self.frames_of(np.asarray(len(x))))
            found = np.empty((count, self.mels), np.float32)
            for begin in range(0, count, _AT_ONCE):
                end = min(begin + _AT_ONCE, count)
                piece = x[begin * self.shift : (end - 1) * self.shift + self.frame]
                found[begin:end] = bench.log_mel(piece, end - begin)
            yield found


def utterance_cmvn(frames: npt.NDArray[Any]) -> Frames:
    """Each coefficient less its mean and over its deviation within the utterance; of one frame, zeros."""
    if not len(frames):
        return frames.astype(np.float32)
    wide = frames.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    deviation = np.sqrt(np.mean(np.square(centred), axis=0))
    return np.asarray(centred / np.maximum(deviation, 1e-5), np.float32)


class _Band(NamedTuple):
    """Neighbouring triangles, and the part of the mel matrix that is not zero for them."""

    bins: slice
    mels: slice
    shares: npt.NDArray[np.float32]


class _Tables:
    """What all frames of a configuration share: the window (frame,), and the mel matrix, in bands."""

    def __init__(self, config: FilterBankConfig) -> None:
        self.frame, self.shift = config.frame, config.shift
        self.points = _points(config.frame)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.frame) / (config.frame - 1))
        self.window = (hann**_POVEY).astype(np.float32)
        self.mels = config.mels
        self.bands = list(_bands(_mel_matrix(config, self.points).astype(np.float32)))
        self.stretch = math.gcd(config.frame, config.shift)


def _points(frame: int) -> int:
    """Of the transform: the next power of two."""
    return 1 << (frame - 1).bit_length()


def _bands(matrix: npt.NDArray[np.float32]) -> Iterator[_Band]:
    """Low triangles see few bins, and high ones no low bins: three quarters of the matrix are zeros."""
    for triangles in np.array_split(np.arange(matrix.shape[1]), _BANDS):
        mels = slice(int(triangles[0]), int(triangles[-1]) + 1)
        seen = np.flatnonzero(matrix[:, mels].any(axis=1))
        bins = slice(int(seen[0]), int(seen[-1]) + 1)
        yield _Band(bins, mels, np.ascontiguousarray(matrix[bins, mels]))


@functools.lru_cache(maxsize=8)
def _tables(config: FilterBankConfig) -> _Tables:
    return _Tables(config)


def _mel_matrix(config: FilterBankConfig, points: int) -> npt.NDArray[np.float64]:
    """The share that each bin of the spectrum has in each triangle."""
    edges = np.linspace(_mel(config.low_hz), _mel(config.highest), config.mels + 2)
    bins = _mel(np.arange(points // 2) * (config.rate / points))[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    shares = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(shares, 0))


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


class _Bench:
    """Where the frames of a piece are worked on: arrays that are used again for the next piece.

    Frames are worked on in whole groups, so that the same code of the libraries meets every frame.
    """

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables
        self._cut_frames = np.zeros((_AT_ONCE, tables.points), np.float32)
        self._power = np.empty((_AT_ONCE, tables.points // 2), np.float32)
        self._mels = np.empty((_AT_ONCE, tables.mels), np.float32)

    def log_mel(self, x: Samples, count: int) -> Frames:
        """The frames of a piece, no more than `_AT_ONCE`; the array holds them until the next call."""
        from scipy import fft

        self._cut(x, count)
        groups = slice(0, -(-count // _TOGETHER) * _TOGETHER)
        squares = fft.rfft(self._cut_frames[groups])[:, :-1].view(np.float32)
        np.multiply(squares, squares, out=squares)
        power, mels = self._power[groups], self._mels[groups]
        np.add(squares[:, 0::2], squares[:, 1::2], out=power)
        for band in self._tables.bands:
            multiply(power[:, band.bins], band.shares, mels[:, band.mels])
        np.maximum(mels, _FLOOR, out=mels)
        return np.log(mels, out=mels)[:count]

    def _cut(self, x: Samples, count: int) -> None:
        """The frames, each without its mean, pre-emphasised and weighted.

        Pre-emphasis is that of the whole piece: in a frame without its mean, all samples have 0.03 of the mean less,
        and the first, which has none before it, has no weight in the window.
        """
        tables = self._tables
        wide = x.astype(np.float64)
        wide *= FULL_SCALE
        emphasised = np.zeros(len(wide), np.float32)
        np.subtract(wide[1:], _PREEMPHASIS * wide[:-1], out=emphasised[1:], casting="same_kind")
        means = _frame_sums(wide, count, tables) * ((1 - _PREEMPHASIS) / tables.frame)
        views = _overlapping(emphasised, count, tables.frame, tables.shift)
        frames = self._cut_frames[:count, : tables.frame]
        np.subtract(views, means.astype(np.float32)[:, None], out=frames)
        frames *= tables.window


def multiply(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """A matrix product, a few rows at a time: so few that the library does them in this thread. With more, it calls
    other threads to help, which takes longer than to do without, and very long where they have no core of their own.
    """
    inner, columns = right.shape
    rows = min(_TOGETHER, max(2, 1 << (_ALONE // (inner * columns)).bit_length() >> 1))
    np.matmul(left.reshape(-1, rows, inner), right, out=out.reshape(-1, rows, columns))


def _frame_sums(x: npt.NDArray[np.float64], count: int, tables: _Tables) -> npt.NDArray[np.float64]:
    """The sum of each frame's samples, by way of the longest stretches that all frames are made of."""
    size = tables.stretch
    sums = x[: len(x) // size * size].reshape(-1, size).sum(axis=1)
    return np.asarray(_overlapping(sums, count, tables.frame // size, tables.shift // size).sum(axis=1))


def _overlapping(x: npt.NDArray[Any], count: int, width: int, shift: int) -> npt.NDArray[Any]:
    """So many views of `width` numbers, each `shift` behind the one before; NumPy refuses what lies beyond the end."""
    return np.ndarray((count, width), x.dtype, x, strides=(shift * x.itemsize, x.itemsize))
