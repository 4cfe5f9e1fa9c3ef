"""Filter banks, beside Kaldi's own as kaldi-native-fbank has them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.audio import decode, signal
from seq2seq_core.audio.features import FilterBankConfig, utterance_cmvn
from seq2seq_core.audio.terms import Samples
from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError
from tests.conftest import real_data
from tests.seq2seq_core.audio.test_decode import speech_like

MEAN, MOST = 1e-4, 0.02


def kaldi(x: Samples, rate: int, mels: int = 80) -> npt.NDArray[np.float32]:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = rate
    options.frame_opts.snip_edges = True
    options.mel_opts.num_bins = mels
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(rate, x * 32768)
    bank.input_finished()
    frames = [bank.get_frame(number) for number in range(bank.num_frames_ready)]
    return np.array(frames, np.float32).reshape(-1, mels)


def recordings() -> list[Path]:
    digits = sorted((real_data("fsdd") / "recordings").glob("*.wav"))[::30]
    return digits + sorted((real_data("ljspeech") / "wavs").glob("*.wav"))


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_real_recordings_give_what_kaldi_gives(rate: int) -> None:
    bank = FilterBankConfig(rate=rate)
    total, count, most = 0.0, 0, 0.0
    for path in recordings():
        found = decode.decode(path.read_bytes())
        x = signal.from_pcm16(signal.pcm16(signal.resample(signal.mono(found), found.rate, rate)))
        expected, given = kaldi(x, rate), bank.log_mel(x)
        assert given.shape == expected.shape
        difference = np.abs(given - expected)
        total, count, most = (
            total + float(difference.sum()),
            count + difference.size,
            max(most, float(difference.max())),
        )
    assert count > 100_000
    assert total / count <= MEAN
    assert most <= MOST


def exact(x: Samples, bank: FilterBankConfig) -> npt.NDArray[np.float64]:
    """The same as its definition has it, in float64."""
    frames = np.lib.stride_tricks.sliding_window_view(x * 32768.0, bank.frame)[:: bank.shift]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames[:, 1:] = frames[:, 1:] - 0.97 * frames[:, :-1]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(bank.frame) / (bank.frame - 1))) ** 0.85
    points = 1 << (bank.frame - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * window, points))[:, :-1] ** 2
    mel = 1127 * np.log(1 + np.arange(points // 2) * bank.rate / points / 700)
    edges = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + bank.rate / 1400), bank.mels + 2)
    width = edges[1] - edges[0]
    shares = np.maximum(0, 1 - np.abs(mel[:, None] - edges[1:-1]) / width)
    return np.log(np.maximum(power @ shares, np.finfo(np.float32).eps))


def test_rounding_is_less_than_a_hundredth_where_it_is_most() -> None:
    """Kaldi's own is more: in the lowest bank of nearly silent frames it reaches 0.015."""
    bank = FilterBankConfig(rate=8_000)
    for path in recordings()[::3]:
        found = decode.decode(path.read_bytes())
        x = signal.from_pcm16(signal.pcm16(signal.resample(signal.mono(found), found.rate, 8_000)))
        assert np.abs(bank.log_mel(x) - exact(x.astype(np.float64), bank)).max() < 0.01


@pytest.mark.parametrize(("rate", "mels"), [(11_025, 40), (22_050, 80), (44_100, 128), (48_000, 23)])
def test_other_rates_and_widths_too(rate: int, mels: int) -> None:
    x = signal.from_pcm16(signal.pcm16(speech_like(3.0, rate)[:, 0]))
    expected = kaldi(x, rate, mels)
    found = FilterBankConfig(rate=rate, mels=mels).log_mel(x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= MOST


def test_silence_and_a_constant_have_the_lowest_value() -> None:
    bank = FilterBankConfig()
    assert np.allclose(bank.log_mel(np.zeros(1600, np.float32)), np.log(np.finfo(np.float32).eps))
    assert np.abs(bank.log_mel(np.full(1600, 0.5, np.float32))).max() < 20


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 559, 560, 16_000])
def test_frames_are_counted_as_they_are_made(samples: int) -> None:
    bank = FilterBankConfig()
    assert bank.log_mel(np.zeros(samples, np.float32)).shape == (max(0, (samples - 240) // 160), 80)
    assert bank.frames_of(np.array([samples])).tolist() == [max(0, (samples - 240) // 160)]


_LONG = speech_like(20.0)[:, 0]
_FRAMES = FilterBankConfig().log_mel(_LONG)


@settings(max_examples=10)
@given(st.integers(0, 900), st.integers(1, 600))
def test_a_frame_depends_on_its_samples_alone(first: int, count: int) -> None:
    bank = FilterBankConfig()
    x, whole = _LONG, _FRAMES
    part = bank.log_mel(x[first * 160 : (first + count - 1) * 160 + 400])
    assert np.array_equal(part, whole[first : first + count])


def test_memory_does_not_grow_with_the_length() -> None:
    bank = FilterBankConfig()
    x = np.tile(speech_like(10.0)[:, 0], 20)
    bank.log_mel(x[:16_000])
    tracemalloc.start()
    found = bank.log_mel(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - found.nbytes < 8 << 20


def test_an_utterance_is_normalised_by_itself() -> None:
    frames = FilterBankConfig().log_mel(speech_like()[:, 0])
    found = utterance_cmvn(frames)
    assert found.dtype == np.float32
    assert np.abs(found.mean(axis=0)).max() < 1e-5
    assert np.abs(found.std(axis=0) - 1).max() < 1e-4
    assert not utterance_cmvn(frames[:1]).any()
    assert utterance_cmvn(frames[:0]).shape == (0, 80)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"high_hz": 9000}, "high_hz"),
        ({"low_hz": 4000, "high_hz": 3000}, "high_hz"),
        ({"rate": 1000, "frame_ms": 5, "shift_ms": 0.5}, "too few"),
        ({"rate": 8000, "mels": 200}, "mels"),
    ],
)
def test_banks_that_cannot_be_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(FilterBankConfig, values)
