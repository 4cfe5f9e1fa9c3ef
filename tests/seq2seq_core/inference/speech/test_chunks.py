"""Chunks hold all of a span, none is too long, and they overlap only where nobody pauses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.audio.energy import FRAMES_A_SECOND, Levels
from seq2seq_core.inference.speech.chunks import Chunk, ChunkConfig, cut_span, heard_together

RATE = 16_000
CONFIG = ChunkConfig()


def levels_of(seconds: float, pauses: list[float]) -> Levels:
    """Speech with silence of 0.2 seconds around each pause."""
    levels = np.full(max(1, int(seconds * FRAMES_A_SECOND)), -20, np.float32)
    for pause in pauses:
        levels[max(0, int((pause - 0.1) * FRAMES_A_SECOND)) : int((pause + 0.1) * FRAMES_A_SECOND)] = -90
    return levels


@given(
    seconds=st.floats(0.2, 90),
    pauses=st.lists(st.floats(0, 90), max_size=20),
    longest=st.floats(0.5, 40),
    share=st.floats(0, 1),
)
def test_every_sample_is_in_a_chunk_and_none_is_too_long(
    seconds: float, pauses: list[float], longest: float, share: float
) -> None:
    samples = int(seconds * RATE)
    span = Chunk(int(share * samples / 2), samples)
    chunks = cut_span(levels_of(seconds, pauses), RATE, span, longest, CONFIG)
    assert (chunks[0].begin, chunks[-1].end) == (span.begin, span.end)
    assert all(0 < chunk.end - chunk.begin <= max(longest * RATE, RATE // 100) for chunk in chunks)
    for one, other in pairwise(chunks):
        assert other.begin <= one.end
        assert other.shares == (other.begin < one.end)
        assert other.end > one.end
        assert one.end - other.begin <= min(CONFIG.overlap, longest / 4) * RATE


def test_a_pause_is_cut_in_its_middle_without_overlap() -> None:
    chunks = cut_span(levels_of(50, [8.0, 24.0, 33.0]), RATE, Chunk(0, 50 * RATE), 30, CONFIG)
    assert [chunk.shares for chunk in chunks] == [False, False]
    assert chunks[0].end == pytest.approx(24.0 * RATE, abs=0.06 * RATE)


def test_speech_without_a_pause_is_cut_with_overlap() -> None:
    chunks = cut_span(levels_of(70, []), RATE, Chunk(0, 70 * RATE), 30, CONFIG)
    assert chunks == [
        Chunk(0, 30 * RATE),
        Chunk(28 * RATE, 58 * RATE, shares=True),
        Chunk(56 * RATE, 70 * RATE, shares=True),
    ]


def test_speech_with_short_pauses_is_heard_together_as_far_as_a_chunk_is_long() -> None:
    spans = [(0, 100), (150, 300), (500, 600), (620, 1200), (1210, 1300)]
    found = list(heard_together(spans, 100, longest=8.0, pause=1.0))
    assert found == [Chunk(0, 300), Chunk(500, 1300)]
    assert list(heard_together(spans, 100, longest=7.5, pause=1.0)) == [
        Chunk(0, 300),
        Chunk(500, 1200),
        Chunk(1210, 1300),
    ]
    assert list(heard_together(spans, 100, longest=8.0, pause=0.0)) == [Chunk(*span) for span in spans]
    assert list(heard_together([], 100, longest=8.0, pause=1.0)) == []
