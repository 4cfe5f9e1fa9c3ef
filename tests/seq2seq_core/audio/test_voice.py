"""Where someone speaks, and where nobody does."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.audio import decode, energy, signal, silero, voice
from seq2seq_core.audio.terms import Samples
from seq2seq_core.audio.voice import VoiceConfig
from tests.conftest import real_data

RATE = 8_000
METHODS = ["silero", "energy"]


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest) -> None:
    if "silero" in request.node.name and not silero.installed():
        pytest.skip("onnxruntime or silero-vad is not installed")


def digits(snr: float, seconds: float = 60.0) -> tuple[Samples, npt.NDArray[np.int64]]:
    """Recordings of digits among pauses, noise over all, and where the digits stand."""
    random = np.random.default_rng(int(snr))
    files = sorted((real_data("fsdd") / "recordings").glob("*_[5-9].wav"))
    parts: list[Samples] = []
    spans: list[tuple[int, int]] = []
    while sum(map(len, parts)) < seconds * RATE:
        parts.append(np.zeros(int(random.uniform(0.4, 1.5) * RATE), np.float32))
        x = signal.mono(decode.decode(files[random.integers(len(files))].read_bytes()))
        loud = np.flatnonzero(energy.frame_levels(x, RATE) > energy.frame_levels(x, RATE).max() - 35)
        x = signal.to_loudness(x[loud[0] * 80 : (loud[-1] + 1) * 80], -26.0)
        begin = sum(map(len, parts))
        spans.append((begin, begin + len(x)))
        parts.append(x)
    speech = np.concatenate(parts)
    noise = random.standard_normal(len(speech)) * 10 ** (-(26 + snr) / 20)
    return (speech + noise).astype(np.float32), np.array(spans)


def inside(spans: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(length, bool)
    for begin, end in spans:
        found[begin:end] = True
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("snr", "precision", "recall"), [(5, 0.55, 0.85), (10, 0.55, 0.88), (20, 0.55, 0.93)])
def test_no_digit_is_lost_in_noise(method: str, snr: float, precision: float, recall: float) -> None:
    x, truth = digits(snr)
    spans = voice.speech_spans(x, RATE, VoiceConfig(method=method, pad=0.1))
    expected, found = inside(truth, len(x)), inside(spans, len(x))
    assert (expected & found).sum() >= precision * found.sum()
    assert (expected & found).sum() >= recall * expected.sum()
    assert np.mean([found[begin:end].mean() > 0.4 for begin, end in truth]) >= 0.95
    assert (spans[:, 0] < spans[:, 1]).all()
    assert (spans[1:, 0] > spans[:-1, 1]).all()


@pytest.mark.parametrize("method", METHODS)
def test_short_and_quiet_recordings_are_heard(method: str) -> None:
    files = sorted((real_data("fsdd") / "recordings").glob("*_[5-9].wav"))[::6]
    quiet = [signal.to_loudness(signal.mono(decode.decode(path.read_bytes())), -45.0) for path in files]
    heard = [len(voice.speech_spans(x, RATE, VoiceConfig(method=method))) > 0 for x in quiet]
    assert np.mean(heard) >= 0.98


@pytest.mark.parametrize("method", METHODS)
def test_blocks_of_any_size_give_the_same(method: str) -> None:
    x, _ = digits(20, 20.0)
    whole = voice.speech_spans(x, RATE, VoiceConfig(method=method))
    for size in (777, 50_000):
        blocks = (x[begin : begin + size] for begin in range(0, len(x), size))
        found = voice.spans_of_blocks(blocks, RATE, VoiceConfig(method=method))
        assert np.array_equal(found, whole)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("samples", [0, 1, 100, 30 * RATE])
def test_silence_has_no_speech(method: str, samples: int) -> None:
    assert voice.speech_spans(np.zeros(samples, np.float32), RATE, VoiceConfig(method=method)).shape == (0, 2)


def test_noise_is_no_speech_for_silero() -> None:
    noise = (0.05 * np.random.default_rng(0).standard_normal(30 * RATE)).astype(np.float32)
    assert len(voice.speech_spans(noise, RATE, VoiceConfig(method="silero"))) == 0


def test_even_noise_is_little_speech_for_energy() -> None:
    noise = (0.05 * np.random.default_rng(0).standard_normal(30 * RATE)).astype(np.float32)
    spans = voice.speech_spans(noise, RATE, VoiceConfig(method="energy"))
    assert inside(spans, len(noise)).mean() < 0.05


def test_silero_needs_no_torch() -> None:
    program = (
        "import sys; import numpy as np; from seq2seq_core.audio import silero;"
        "silero.probabilities([np.zeros(999, np.float32)]); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_auto_is_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq_core.audio.silero.installed", lambda: True)
    assert voice.chosen(VoiceConfig()) == "silero"
    monkeypatch.setattr("seq2seq_core.audio.silero.installed", lambda: False)
    assert voice.chosen(VoiceConfig()) == "energy"
    assert voice.chosen(VoiceConfig(method="silero")) == "silero"


def test_a_tone_is_found_to_the_hundredth_and_padded() -> None:
    x = np.full(5 * RATE, 1e-3, np.float32) * np.random.default_rng(1).standard_normal(5 * RATE).astype(np.float32)
    x[2 * RATE : 3 * RATE] += np.sin(np.arange(RATE) / 3, dtype=np.float32)
    config = VoiceConfig(method="energy", pad=0.25)
    ((begin, end),) = voice.speech_spans(x, RATE, config)
    assert abs(begin / RATE - 1.75) <= 0.03
    assert abs(end / RATE - 3.25) <= 0.03


@given(
    st.lists(st.booleans(), max_size=200),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
def test_spans_are_sorted_disjoint_and_within(active: list[bool], speech: float, pause: float, pad: float) -> None:
    config = VoiceConfig(min_speech=speech, min_pause=pause, pad=pad)
    total = max(0, len(active) * 80 - 13)
    spans = voice._spans(np.array(active, bool), 0.01, RATE, total, config)
    flat = spans.ravel()
    assert spans.shape[1] == 2
    assert (np.diff(flat) > 0).all()
    assert ((flat >= 0) & (flat <= total)).all()
    if not speech and not total % 80:
        assert not (np.repeat(np.array(active, bool), 80)[:total] & ~inside(spans, total)).any()
