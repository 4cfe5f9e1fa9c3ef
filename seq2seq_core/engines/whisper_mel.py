"""Samples in, the log-mel frames that Whisper was trained on out.

They are those of Radford et al. 2022 ("Robust Speech Recognition via Large-Scale Weak Supervision"): frames of 25 ms
every 10 ms, centred and weighted by Hann's window, their power in triangles that are equally wide on Slaney's mel scale
and equally large, the logarithm to base 10, at most 8 below the loudest, brought to about [-1, 1]. A model hears a
window of fixed length; what is shorter is followed by zeros.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.features import multiply
from seq2seq_core.audio.terms import Samples

RATE = 16_000
SHIFT = 160
"""Samples from frame to frame."""

_POINTS = 400
_HALF = _POINTS // 2
_BINS = _HALF + 1
_HIGHEST_HZ = 8000.0
_FLOOR, _RANGE = 1e-10, 8.0
_AT_ONCE = 256

_LINEAR_HZ, _LINEAR_MELS = 200 / 3, 15.0
_LOG_STEP = np.log(6.4) / 27
"""Slaney's scale (Auditory Toolbox, 1998): 15 mels of 66.7 Hz each, and from there on 27 for each factor of 6.4."""


def whisper_mel(chunks: Sequence[Samples], mels: int, seconds: int) -> npt.NDArray[np.float32]:
    """The frames of chunks at `RATE`.

    Args:
        chunks: None longer than the window.
        mels: Numbers a frame.
        seconds: The window.

    Returns:
        Shape (chunks, mels, frames of the window). Those of a chunk depend on it alone, to the bit.

    Raises:
        ValueError: A chunk is longer than the window.
    """
    found = np.empty((len(chunks), mels, seconds * RATE // SHIFT), np.float32)
    for place, chunk in enumerate(chunks):
        found[place] = _of_window(_padded(chunk, seconds * RATE), len(chunk), mels).T
    return found


def _padded(x: Samples, samples: int) -> Samples:
    """The window, and half a frame of its reflection at each end."""
    if len(x) > samples:
        raise ValueError(f"a chunk of {len(x)} samples does not fit a window of {samples}")
    padded = np.zeros(samples + 2 * _HALF, np.float32)
    padded[_HALF : _HALF + len(x)] = x
    padded[:_HALF] = padded[2 * _HALF : _HALF : -1]
    padded[-_HALF:] = padded[-_HALF - 2 : -2 * _HALF - 2 : -1]
    return padded


def _of_window(padded: Samples, length: int, mels: int) -> npt.NDArray[np.float32]:
    """Shape (frames, mels); what sees none of the first `length` samples is not worked out."""
    views = np.lib.stride_tricks.sliding_window_view(padded, _POINTS)[:-1:SHIFT]
    heard = min(len(views), -(-(length + _HALF) // SHIFT))
    found = np.full((len(views), mels), np.log10(_FLOOR), np.float32)
    for begin in range(0, heard, _AT_ONCE):
        end = min(begin + _AT_ONCE, heard)
        found[begin:end] = _log_mel(views[begin:end], mels)
    np.maximum(found, found.max() - _RANGE, out=found)
    found += 4.0
    found /= 4.0
    return found


def _log_mel(frames: npt.NDArray[np.float32], mels: int) -> npt.NDArray[np.float32]:
    """Of at most `_AT_ONCE` frames; so many are always worked on, so that the same code meets every frame."""
    from scipy import fft

    weighted = np.zeros((_AT_ONCE, _POINTS))
    np.multiply(frames, _window(), out=weighted[: len(frames)])
    spectrum = fft.rfft(weighted)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    found = np.empty((_AT_ONCE, mels), np.float32)
    multiply(power.astype(np.float32), mel_matrix(mels), found)
    np.maximum(found, _FLOOR, out=found)
    return np.log10(found, out=found)[: len(frames)]


@functools.cache
def _window() -> npt.NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_POINTS) / _POINTS))


@functools.lru_cache(maxsize=4)
def mel_matrix(mels: int) -> npt.NDArray[np.float32]:
    """The weight of each bin of the spectrum in each triangle, shape (201, mels)."""
    edges = _hertz(np.linspace(0.0, _mel(_HIGHEST_HZ), mels + 2))
    bins = np.linspace(0.0, RATE / 2, _BINS)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    shares = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(shares, 0) * (2 / (right - left)), np.float32)


def _mel(hertz: float) -> float:
    """Of a frequency in the logarithmic part of the scale."""
    return float(_LINEAR_MELS + np.log(hertz / (_LINEAR_MELS * _LINEAR_HZ)) / _LOG_STEP)


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = np.maximum(mel - _LINEAR_MELS, 0)
    return np.asarray(np.minimum(mel, _LINEAR_MELS) * _LINEAR_HZ * np.exp(above * _LOG_STEP))
