"""Samples and a ratio in, the same samples with noise behind them out."""

from __future__ import annotations

import numpy as np

from seq2seq_core.audio.terms import Samples

_STEEPEST = 2.0
_HEADROOM = 0.99
_LONGEST = 1 << 20
_LOWEST_BAND = 0.005  # of all: below about 50 Hz noise does not grow any more


def with_noise(samples: Samples, decibels: float, draw: np.random.Generator) -> Samples:
    """Speech with noise so many decibels below it, by the mean squares of both; quieter where it would clip.

    The spectrum of the noise falls with the frequency: by nothing (white), by 3 (pink) or up to 6 decibels an octave
    (brown), as chance has it.
    """
    if not len(samples):
        return samples
    noise = _coloured(len(samples), draw.uniform(0.0, _STEEPEST), draw)
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    mixed = samples + noise * np.float32(np.sqrt(power) * 10 ** (-decibels / 20))
    peak = float(np.abs(mixed).max())
    louder: Samples = mixed if peak <= _HEADROOM else mixed * np.float32(_HEADROOM / peak)
    return louder.astype(np.float32, copy=False)


def _coloured(count: int, exponent: float, draw: np.random.Generator) -> Samples:
    """Noise of mean square 1, whose power falls with frequency ** -exponent; repeated where it is long."""
    length = min(1 << (count - 1).bit_length(), _LONGEST)  # powers of two, which are fast to transform
    spectrum = np.fft.rfft(draw.standard_normal(length, np.float32))
    bands = np.maximum(np.arange(len(spectrum)), _LOWEST_BAND * len(spectrum))
    noise = np.fft.irfft(spectrum * bands ** (-exponent / 2), length)
    power = float(np.mean(np.square(noise)))
    scaled = (noise / np.sqrt(power or 1.0)).astype(np.float32)
    return np.resize(scaled, count)
