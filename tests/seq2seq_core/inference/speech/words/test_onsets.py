"""Words begin and end with the voice."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.audio.energy import frame_levels
from seq2seq_core.engines.recognition import Word
from seq2seq_core.inference.speech.words.onsets import Voiced, voiced, with_the_voice

RATE = 16_000


def heard(*spans: tuple[float, float]) -> Voiced:
    return Voiced(np.array([begin for begin, _ in spans]), np.array([end for _, end in spans]))


def times(words: list[Word]) -> list[tuple[float, float]]:
    return [(word.begin, word.end) for word in words]


def test_a_voice_is_found_above_noise_and_over_short_closures() -> None:
    random = np.random.default_rng(0)
    x = 1e-3 * random.standard_normal(4 * RATE).astype(np.float32)
    for begin, end in ((1.0, 1.4), (1.48, 2.0), (3.0, 3.5)):
        place = slice(int(begin * RATE), int(end * RATE))
        x[place] += np.sin(np.arange(place.stop - place.start) / 3).astype(np.float32)
    found = voiced(frame_levels(x, RATE), 9.0, 10.0)
    assert np.allclose(found.begins, [11.0, 13.0], atol=0.011)
    assert np.allclose(found.ends, [12.0, 13.5], atol=0.011)


def test_silence_leaves_words_alone() -> None:
    words = [Word("one", 0.1, 0.2)]
    assert with_the_voice(words, voiced(np.zeros(0, np.float32), 9.0, 0.0), 0.0, 1.0) == words
    assert with_the_voice([], heard((0.2, 0.4)), 0.0, 1.0) == []


def test_a_late_word_begins_with_its_voice_and_ends_with_it() -> None:
    words = [Word("one", 0.5, 0.54), Word("two", 1.4, 1.44)]
    assert times(with_the_voice(words, heard((0.3, 0.7), (1.2, 1.6)), 0.0, 2.0)) == [(0.3, 0.7), (1.2, 1.6)]


def test_a_word_said_just_behind_its_voice_begins_with_it() -> None:
    assert times(with_the_voice([Word("one", 0.8, 0.84)], heard((0.4, 0.7), (2.0, 3.0)), 0.2, 3.2)) == [(0.4, 0.84)]


def test_a_word_said_just_before_its_voice_begins_with_it() -> None:
    words = [Word("one", 0.3, 0.5), Word("two", 0.9, 0.94)]
    assert times(with_the_voice(words, heard((0.3, 0.6), (1.0, 1.4)), 0.0, 1.6)) == [(0.3, 0.6), (1.0, 1.4)]


def test_words_without_a_pause_keep_their_times() -> None:
    words = [Word("one", 0.3, 0.5), Word("two", 0.6, 0.7), Word("six", 0.9, 1.1)]
    assert times(with_the_voice(words, heard((0.3, 1.1)), 0.0, 1.4)) == [(0.3, 0.5), (0.6, 0.7), (0.9, 1.1)]


def test_words_before_all_voices_share_the_time_up_to_the_next() -> None:
    words = [Word("the", 0.0, 0.04), Word("hotel", 0.04, 0.2), Word("saved", 1.1, 1.5)]
    found = times(with_the_voice(words, heard((0.3, 1.5)), 0.0, 1.8))
    assert found == [(0.3, 0.6), (0.6, 1.1), (1.1, 1.5)]


def test_words_behind_all_voices_share_the_time_from_the_one_before() -> None:
    words = [Word("six", 0.3, 0.5), Word("miles", 1.6, 1.8)]
    found = times(with_the_voice(words, heard((0.3, 1.5)), 0.0, 1.8))
    assert found == [(0.3, 0.5), (1.0, 1.5)]


def test_a_voice_that_is_far_from_where_hearing_began_is_not_believed() -> None:
    words = [Word("one", 0.1, 0.2)]
    assert times(with_the_voice(words, heard((0.9, 1.2)), 0.0, 1.5)) == [(0.1, 0.2)]


@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=20),
    st.lists(st.floats(0.02, 1), max_size=20),
)
def test_times_never_go_back(edges: list[float], lengths: list[float]) -> None:
    edges.sort()
    words = [Word("ab", begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=False)]
    borders = np.cumsum(lengths)
    voices = Voiced(borders[: len(borders) // 2 * 2 : 2], borders[1::2])
    found = with_the_voice(words, voices, 0.0, 10.0)
    assert [word.text for word in found] == [word.text for word in words]
    flat = [time for word in found for time in (word.begin, word.end)]
    assert all(after >= before - 2e-3 for before, after in itertools.pairwise(flat))
    assert not flat or (min(flat) >= -1e-3 and max(flat) <= 10.001)
