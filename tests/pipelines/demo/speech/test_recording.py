from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.demo.speech.noise import with_noise
from pipelines.demo.speech.recording import Span, joined, noisy
from seq2seq_core.audio import flac
from seq2seq_core.audio.signal import pcm16

TONE = (0.2 * np.sin(np.arange(8000) * 0.3)).astype(np.float32)


def ratio(speech: np.ndarray, noise: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(speech)) / np.mean(np.square(noise))))


@pytest.mark.parametrize("decibels", [0.0, 10.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_as_far_below_as_it_is_told(decibels: float, seed: int) -> None:
    mixed = with_noise(TONE, decibels, np.random.default_rng(seed))
    assert mixed.dtype == np.float32
    assert ratio(TONE, mixed - TONE) == pytest.approx(decibels, abs=0.5)
    np.testing.assert_array_equal(mixed, with_noise(TONE, decibels, np.random.default_rng(seed)))


def test_nothing_clips() -> None:
    loud = np.sign(TONE)
    mixed = with_noise(loud, 3.0, np.random.default_rng(1))
    assert np.abs(mixed).max() <= 0.991


def test_silence_and_nothing_stay_so() -> None:
    draw = np.random.default_rng(1)
    assert not with_noise(np.zeros(50, np.float32), 10.0, draw).any()
    assert len(with_noise(np.zeros(0, np.float32), 10.0, draw)) == 0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 300), max_size=5), st.data())
def test_pieces_stand_where_their_spans_say(lengths: list[int], data: st.DataObject) -> None:
    pauses = data.draw(st.lists(st.floats(0, 0.1), min_size=len(lengths) + 1, max_size=len(lengths) + 1))
    pieces = [np.full(length, place + 1, np.float32) for place, length in enumerate(lengths)]
    found = joined(pieces, pauses, 1000)
    silent = np.ones(len(found.samples), bool)
    for piece, (begin, end) in zip(pieces, found.spans, strict=True):
        places = slice(round(begin * 1000), round(end * 1000))
        np.testing.assert_array_equal(found.samples[places], piece)
        silent[places] = False
    assert not found.samples[silent].any()
    assert len(found.samples) == sum(lengths) + sum(round(1000 * pause) for pause in pauses)


def test_pauses_do_not_make_noise_quieter() -> None:
    found = noisy(joined([TONE, TONE], [3.0, 5.0, 3.0], 8000), 20.0, np.random.default_rng(2))
    begin, end = (round(8000 * second) for second in found.spans[0])
    noise = np.concatenate([found.samples[:begin], found.samples[end : end + 8000]])
    assert ratio(TONE, noise) == pytest.approx(20.0, abs=1.5)


def test_it_is_a_file() -> None:
    found = joined([TONE], [0.1, 0.1], 8000)
    assert found.seconds == pytest.approx(1.2)
    assert found.spans == (Span(0.1, 1.1),)
    np.testing.assert_array_equal(flac.decode(found.flac()), pcm16(found.samples))
