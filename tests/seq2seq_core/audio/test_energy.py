"""Levels, measures of an utterance, and quiet places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.audio import energy
from seq2seq_core.audio.measures import measure
from tests.seq2seq_core.audio.test_decode import speech_like

RATE = 16_000
LONG = speech_like(5.0)[:, 0]


def test_levels_are_those_of_frames() -> None:
    x = np.concatenate([np.full(160, 1.0), np.full(160, 0.1), np.zeros(160), np.full(80, 1.0)]).astype(np.float32)
    assert energy.frame_levels(x, RATE) == pytest.approx([0, -20, -120, 0], abs=1e-4)
    assert energy.frame_levels(x[:0], RATE).tolist() == []


@given(st.lists(st.integers(0, 700), max_size=12))
def test_levels_of_blocks_are_those_of_the_whole(sizes: list[int]) -> None:
    x = LONG[: sum(sizes)]
    blocks = np.split(x, np.minimum(np.cumsum(sizes), len(x)))
    assert np.array_equal(energy.levels_of(blocks, RATE), energy.frame_levels(x, RATE))


@pytest.mark.parametrize("gap", [1.0, 2.5, 3.9])
def test_the_quietest_place_is_in_the_pause(gap: float) -> None:
    x = speech_like(5.0)[:, 0].copy()
    begin = int(gap * RATE)
    x[begin : begin + 3200] *= 0.01
    assert begin < energy.quietest(x, RATE, RATE // 2, 5 * RATE) < begin + 3200
    levels = energy.frame_levels(x, RATE)
    assert begin < energy.quietest_frame(levels, 50, 500) * 160 < begin + 3200


@given(st.integers(0, 79_000), st.integers(1, 20_000))
def test_the_quietest_place_is_within(begin: int, count: int) -> None:
    x = LONG
    end = min(begin + count, len(x))
    assert begin <= energy.quietest(x, RATE, begin, end) < end


def test_measures_of_an_utterance() -> None:
    tone = (0.5 * np.sin(np.arange(RATE) / 5)).astype(np.float32)
    found = measure(np.concatenate([tone, np.zeros(3 * RATE, np.float32)]), RATE)
    assert found.seconds == 4.0
    assert found.silent == pytest.approx(0.75)
    assert found.clipped == 0.0
    assert found.level == pytest.approx(20 * np.log10(0.25 / np.sqrt(2)), abs=0.05)


def test_clipped_and_empty_utterances() -> None:
    loud = np.clip(3 * np.sin(np.arange(RATE) / 5), -1, 32767 / 32768).astype(np.float32)
    assert measure(loud, RATE).clipped > 0.5
    assert measure(loud[:0], RATE) == (0.0, 1.0, 0.0, -120.0)
    assert measure(np.zeros(100, np.float32), RATE) == (100 / RATE, 1.0, 0.0, -120.0)
