"""Samples in, log-mel filter banks out, by Kaldi's convention: what a speech encoder reads.

The numbers are those of Kaldi's `compute-fbank-feats --dither=0` (Povey et al. 2011), within rounding: samples count
in units of 16 bits, each frame loses its mean, is pre-emphasised, and weighted by Povey's window; then the power
spectrum, triangles that are equally wide in mel, and the natural logarithm.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Self

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
_PARTS = 4
_ALONE = 1 << 18  # multiplications that OpenBLAS does in one thread
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
        count = int(self.frames_of(np.asarray(len(x))))
        found = np.empty((count, self.mels), np.float32)
        bench = _Bench(_tables(self))
        for begin in range(0, count, _AT_ONCE):
            end = min(begin + _AT_ONCE, count)
            piece = x[begin * self.shift : (end - 1) * self.shift + self.frame]
            found[begin:end] = bench.log_mel(piece, end - begin)
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
    """What all frames of a configuration share.

    A frame's spectrum is that of its four interleaved parts (every fourth sample, from the first, second, third and
    fourth on), put together: one step of the fast Fourier transform (Cooley and Tukey 1965). The parts are short enough
    for matrix products, which take the window along, to be faster than the rest of its steps.
    """

    def __init__(self, config: FilterBankConfig) -> None:
        self.frame, self.shift = config.frame, config.shift
        points = _points(config.frame)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.frame) / (config.frame - 1))
        self.bins = points // (2 * _PARTS) + 1
        angles = 2 * np.pi / points * np.outer(np.arange(config.frame), np.arange(self.bins))
        waves = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1) * (hann**_POVEY)[:, None]
        self.waves = [_with_mean(waves[part::_PARTS]) for part in range(_PARTS)]
        self.mels = _mel_matrix(config, points)[self._order(points)].astype(np.float32)
        self.stretch = math.gcd(config.frame, config.shift)

    def _order(self, points: int) -> npt.NDArray[np.int64]:
        """The bins of the spectrum in the order in which `_Bench` has them; what stands twice is the second time -1,
        the row of the mel matrix that is zero.
        """
        first = np.arange(self.bins)
        quarter = points // _PARTS
        order = np.concatenate([first, 2 * quarter - first, quarter + first, quarter - first])
        again = np.ones(len(order), bool)
        again[np.unique(order, return_index=True)[1]] = False
        return np.where(again | (order == 2 * quarter), -1, order)


def _with_mean(waves: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """What a part of a frame is multiplied by, and a last row for what is taken away from each of its samples."""
    return np.concatenate([waves, -waves.sum(axis=0, keepdims=True)]).astype(np.float32)


def _points(frame: int) -> int:
    """Of the transform: the next power of two."""
    return 1 << (frame - 1).bit_length()


@functools.lru_cache(maxsize=8)
def _tables(config: FilterBankConfig) -> _Tables:
    return _Tables(config)


def _mel_matrix(config: FilterBankConfig, points: int) -> npt.NDArray[np.float64]:
    """The share that each bin of the spectrum has in each triangle, and a row of zeros."""
    edges = np.linspace(_mel(config.low_hz), _mel(config.highest), config.mels + 2)
    bins = _mel(np.arange(points // 2) * (config.rate / points))[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    shares = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.concatenate([np.maximum(shares, 0), np.zeros((1, config.mels))])


def _mel(hertz: Any) -> Any:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


class _Bench:
    """Where the frames of a piece are worked on: arrays that are used again for the next piece.

    All of them are always worked on, so that the same code of the matrix products meets every frame.
    """

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables
        self._parts = [np.zeros((_AT_ONCE, len(waves)), np.float32) for waves in tables.waves]
        self._waves = np.empty((_PARTS, _AT_ONCE, 2 * tables.bins), np.float32)
        self._turned = np.empty((4, _AT_ONCE, 2 * tables.bins), np.float32)
        self._power = np.empty((_AT_ONCE, 4, tables.bins), np.float32)
        self._mels = np.empty((_AT_ONCE, tables.mels.shape[1]), np.float32)

    def log_mel(self, x: Samples, count: int) -> Frames:
        """The frames of a piece, no more than `_AT_ONCE`; the array holds them until the next call."""
        self._cut(x, count)
        for part, waves, out in zip(self._parts, self._tables.waves, self._waves, strict=True):
            _multiply(part, waves, out)
        self._put_together()
        _multiply(self._power.reshape(_AT_ONCE, -1), self._tables.mels, self._mels)
        np.maximum(self._mels, _FLOOR, out=self._mels)
        return np.log(self._mels, out=self._mels)[:count]

    def _put_together(self) -> None:
        """Y0 to Y3 are the parts at bin k; of the frame at four bins, only sizes are needed.

        k: Y0 + Y1 + Y2 + Y3. Half of all - k: Y0 - Y1 + Y2 - Y3. A quarter of all + k: Y0 - iY1 - Y2 + iY3. A quarter
        of all - k: Y0 + iY1 - Y2 - iY3.
        """
        half = self._tables.bins
        y, (plus, minus, odd_plus, odd_minus) = self._waves, self._turned
        np.add(y[0], y[2], out=plus)
        np.subtract(y[0], y[2], out=minus)
        np.add(y[1], y[3], out=odd_plus)
        np.subtract(y[1], y[3], out=odd_minus)
        np.add(plus, odd_plus, out=y[0])
        np.subtract(plus, odd_plus, out=y[1])
        np.add(minus[:, :half], odd_minus[:, half:], out=y[2, :, :half])
        np.subtract(minus[:, half:], odd_minus[:, :half], out=y[2, :, half:])
        np.subtract(minus[:, :half], odd_minus[:, half:], out=y[3, :, :half])
        np.add(minus[:, half:], odd_minus[:, :half], out=y[3, :, half:])
        np.square(y, out=y)
        np.add(y[:, :, :half].swapaxes(0, 1), y[:, :, half:].swapaxes(0, 1), out=self._power)

    def _cut(self, x: Samples, count: int) -> None:
        """The parts of each frame, and beside each what the product takes away from its samples.

        Pre-emphasis is that of the whole piece: in a frame without its mean, all samples have 0.03 of the mean less,
        and the first, which has none before it, has no weight in the window.
        """
        tables = self._tables
        wide = x.astype(np.float64)
        wide *= FULL_SCALE
        emphasised = np.zeros(len(wide), np.float32)
        np.subtract(wide[1:], _PREEMPHASIS * wide[:-1], out=emphasised[1:], casting="same_kind")
        means = _frame_sums(wide, count, tables) * ((1 - _PREEMPHASIS) / tables.frame)
        views = np.lib.stride_tricks.sliding_window_view(emphasised, tables.frame)[:: tables.shift]
        for begin, part in enumerate(self._parts):
            part[:count, :-1] = views[:, begin::_PARTS]
            part[:count, -1] = means


def _multiply(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """A matrix product, a few rows at a time: so few that the library does them in this thread. With more, it calls
    other threads to help, which takes longer than to do without, and very long where they have no core of their own.
    """
    inner, columns = right.shape
    rows = min(_AT_ONCE, max(2, 1 << (_ALONE // (inner * columns)).bit_length() >> 1))
    np.matmul(left.reshape(-1, rows, inner), right, out=out.reshape(-1, rows, columns))


def _frame_sums(x: npt.NDArray[np.float64], count: int, tables: _Tables) -> npt.NDArray[np.float64]:
    """The sum of each frame's samples, by way of the longest stretches that all frames are made of."""
    size = tables.stretch
    sums = x[: len(x) // size * size].reshape(-1, size).sum(axis=1)
    views = np.lib.stride_tricks.sliding_window_view(sums, tables.frame // size)[:: tables.shift // size]
    return np.asarray(views[:count].sum(axis=1))
