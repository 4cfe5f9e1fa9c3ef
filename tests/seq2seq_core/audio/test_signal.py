"""Channels, rates, speeds, levels and 16-bit numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.audio import signal
from seq2seq_core.audio.terms import AudioError, Samples, Signal


def tone(seconds: float, rate: int, hertz: float = 440.0, level: float = 0.5) -> Samples:
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def test_channels_are_mixed_or_taken() -> None:
    both = Signal(np.array([[0.5, -0.5], [1.0, 0.0]], np.float32), 16_000)
    assert signal.mono(both).tolist() == [0.0, 0.5]
    assert signal.mono(both, 1).tolist() == [-0.5, 0.0]
    assert signal.mono(both, 1).flags.c_contiguous
    with pytest.raises(AudioError, match="found 2 channels; expected channel 2"):
        signal.mono(both, 2)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_another_rate_keeps_the_tone(rate: int) -> None:
    x = signal.resample(tone(1.0, rate), rate, 16_000)
    assert x.dtype == np.float32
    assert len(x) == 16_000
    assert np.abs(x - tone(1.0, 16_000))[500:-500].max() < 1e-3


def test_blocks_are_resampled_to_what_all_at_once_are() -> None:
    x = tone(3.0, 22_050)
    pieces = list(signal.resampled(np.split(x, [100, 5_000, 40_000]), 22_050, 16_000))
    assert np.abs(np.concatenate(pieces) - signal.resample(x, 22_050, 16_000)).max() < 1e-6


def test_speed_changes_the_length_and_the_pitch() -> None:
    x = signal.change_speed(tone(1.0, 16_000, 400.0), 0.8)
    assert len(x) == 20_000
    assert np.argmax(np.abs(np.fft.rfft(x[:16_000]))) == pytest.approx(320, abs=1)


def test_loudness_is_reached_or_stops_at_full_scale() -> None:
    assert 20 * np.log10(signal.root_mean_square(signal.to_loudness(tone(1, 16_000), -20.0))) == pytest.approx(-20)
    assert np.abs(signal.to_loudness(tone(1, 16_000), 6.0)).max() == pytest.approx(1.0)
    assert not signal.to_loudness(np.zeros(10, np.float32), -20.0).any()


@given(st.lists(st.integers(-32768, 32767)))
def test_16_bits_survive(values: list[int]) -> None:
    pcm = np.array(values, np.int16)
    assert np.array_equal(signal.pcm16(signal.from_pcm16(pcm)), pcm)


def test_16_bits_round_and_clip() -> None:
    assert signal.pcm16(np.array([2.0, -2.0, 0.6 / 32768, -0.4 / 32768], np.float32)).tolist() == [32767, -32768, 1, 0]
