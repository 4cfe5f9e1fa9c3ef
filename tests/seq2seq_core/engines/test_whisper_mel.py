"""The frames are those that Hugging Face's extractor makes."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.audio.terms import Samples
from seq2seq_core.engines.whisper_mel import RATE, mel_matrix, whisper_mel

DRAW = np.random.default_rng(0)
TIMES = np.arange(30 * RATE) / RATE


def signals() -> list[Samples]:
    """Noise and tones, from nothing to a whole window, loud and fading."""
    noise = DRAW.normal(size=30 * RATE)
    tone = 0.5 * np.sin(2 * np.pi * 440 * TIMES)
    fading = noise[:90_001] * np.exp(-np.arange(90_001) / 3000)
    found = (noise * 0.1, tone, noise[:-1] * 0.01, noise[:100], noise[:201], noise[:1], fading, tone[:170_000])
    return [np.asarray(x, np.float32) for x in (*found, np.zeros(50_000))]


@pytest.mark.parametrize("mels", [80, 128])
def test_frames_are_those_of_the_extractor(mels: int) -> None:
    from transformers import WhisperFeatureExtractor

    extractor = WhisperFeatureExtractor(feature_size=mels)
    np.testing.assert_allclose(mel_matrix(mels), extractor.mel_filters, atol=1e-8)
    chunks = signals()
    expected = extractor(chunks, sampling_rate=RATE, return_tensors="np")["input_features"]
    found = whisper_mel(chunks, mels, 30)
    assert (found.shape, found.dtype) == ((len(chunks), mels, 3000), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


def test_the_frames_of_a_chunk_depend_on_it_alone() -> None:
    chunks = [x[: 3 * RATE] for x in signals()]
    together = whisper_mel(chunks, 80, 3)
    for chunk, frames in zip(chunks, together, strict=True):
        np.testing.assert_array_equal(whisper_mel([chunk], 80, 3)[0], frames)


def test_silence_is_as_quiet_as_can_be() -> None:
    found = whisper_mel([np.zeros(0, np.float32), np.zeros(RATE, np.float32)], 80, 2)
    np.testing.assert_allclose(found, np.full((2, 80, 200), -1.5), atol=1e-6)
    assert whisper_mel([], 80, 2).shape == (0, 80, 200)


def test_what_does_not_fit_the_window_is_refused() -> None:
    assert whisper_mel([np.zeros(2 * RATE, np.float32)], 80, 2).shape == (1, 80, 200)
    with pytest.raises(ValueError, match="32001 samples does not fit a window of 32000"):
        whisper_mel([np.zeros(2 * RATE + 1, np.float32)], 80, 2)
