"""The recogniser of tests hears every tone at its time, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.recognition import SILENCE
from seq2seq_core.engines.tones import RATE, TONES, ToneRecognizer
from tests.tone_speech import talk, tone

TONE_RECOGNIZER = ToneRecognizer("d")


def hear(*chunks: np.ndarray) -> list:
    return TONE_RECOGNIZER.recognize([chunk.astype(np.float32) for chunk in chunks], SearchConfig())


def test_every_tone_has_its_word() -> None:
    (found,) = hear(np.concatenate([np.concatenate([tone(number, 0.1), np.zeros(800)]) for number in range(TONES)]))
    assert found.text.split() == [f"tone{number}" for number in range(TONES)]
    assert [word.begin for word in found.words] == pytest.approx([0.15 * n for n in range(TONES)], abs=0.015)


@pytest.mark.parametrize("seed", range(3))
def test_words_and_times_of_a_talk(seed: int) -> None:
    said = talk(20, seed=seed)
    (found,) = hear(said.samples)
    assert [word.text for word in found.words] == said.texts
    assert [word.end for word in found.words] == pytest.approx([word.end for word in said.words], abs=0.015)


def test_silence_noise_and_nothing_have_no_words() -> None:
    noise = np.random.default_rng(0).normal(size=RATE * 3) * 0.3
    assert [one.words for one in hear(np.zeros(RATE), noise, np.zeros(0), np.zeros(100))] == [SILENCE.words] * 4
