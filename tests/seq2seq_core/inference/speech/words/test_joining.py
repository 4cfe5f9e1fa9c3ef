"""Chunks that overlap are joined without a lost or doubled word, whatever a model mishears at their edges."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq_core.engines.recognition import Word
from seq2seq_core.inference.speech.words.joining import Heard, join

SURE = 0.4
"""So near to the middle of what two chunks share, both hear well."""

SPEECH = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "no", "yes"]), st.floats(0.08, 0.4), st.floats(0.0, 0.5)), max_size=60
)
"""Words, how long they take, and the pause behind each."""


def said(speech: list[tuple[str, float, float]]) -> list[Word]:
    words, at = [], 0.0
    for text, seconds, pause in speech:
        words.append(Word(text, at, at + seconds))
        at += seconds + pause
    return words


def borders(words: list[Word], length: float, shared: float) -> list[tuple[float, float]]:
    """The chunks that hold all words."""
    end = words[-1].end if words else 0.0
    found = [(0.0, length)]
    while found[-1][1] < end:
        begin = found[-1][1] - shared
        found.append((begin, begin + length))
    return found


def hear(words: list[Word], begin: float, end: float, change: Callable[[Word], list[Word]]) -> Heard:
    """All words that a chunk sees at least half of, changed."""
    seen = [word for word in words if begin <= (word.begin + word.end) / 2 < end]
    return Heard(begin, end, tuple(found for word in seen for found in change(word)))


@example([("a", 0.5, 3.65), ("a", 0.375, 0.375), ("a", 0.25, 0.0)], 5.0, 0.5)
@given(SPEECH, st.floats(5, 12), st.floats(0.5, 2.5))
def test_any_text_that_is_cut_into_overlapping_chunks_joins_to_itself(
    speech: list[tuple[str, float, float]], length: float, shared: float
) -> None:
    words = said(speech)
    chunks = [hear(words, begin, end, lambda word: [word]) for begin, end in borders(words, length, shared)]
    assert join(chunks) == words


@given(SPEECH, st.floats(6, 12), st.floats(1.6, 2.5), st.randoms(use_true_random=False))
def test_what_is_misheard_at_the_edges_of_chunks_is_not_believed(
    speech: list[tuple[str, float, float]], length: float, shared: float, draw: object
) -> None:
    """Near an edge words are left out, taken for others, or heard twice, and times are a little off."""
    words = said(speech)
    places = borders(words, length, shared)
    middles = [(one[1] + other[0]) / 2 for one, other in pairwise(places)]

    def mishear(begin: float, end: float) -> Callable[[Word], list[Word]]:
        first = min((m for m in middles if m > begin), default=end) if begin else -1.0
        last = max((m for m in middles if m < end), default=begin) if end < places[-1][1] else end + 99

        def change(word: Word) -> list[Word]:
            middle = (word.begin + word.end) / 2
            late = draw.uniform(-0.04, 0.04)  # type: ignore[attr-defined]
            moved = Word(word.text, word.begin + late, word.end + late)
            if first + SURE < middle < last - SURE or min(abs(middle - first), abs(middle - last)) <= SURE:
                return [moved]
            kind = draw.randrange(4)  # type: ignore[attr-defined]
            half = (moved.begin + moved.end) / 2
            twice = [moved._replace(text="?", end=half), moved._replace(text="!", begin=half)]
            return [[], [moved], [moved._replace(text="wrong")], twice][kind]

        return change

    chunks = [hear(words, begin, end, mishear(begin, end)) for begin, end in places]
    assert [word.text for word in join(chunks)] == [word.text for word in words]


def test_times_never_go_back() -> None:
    chunks = [
        Heard(0, 4, (Word("a", 0, 1), Word("b", 2.0, 3.1))),
        Heard(2, 6, (Word("b", 2.0, 2.8), Word("c", 3.0, 5))),
    ]
    found = join(chunks)
    assert [word.text for word in found] == ["a", "b", "c"]
    assert all(one.end <= other.begin for one, other in pairwise(found))


def test_case_and_punctuation_make_no_other_word() -> None:
    chunks = [
        Heard(0, 4, (Word("so", 1.9, 2.2), Word("well.", 2.7, 3.05))),
        Heard(2, 6, (Word("Well,", 2.95, 3.2), Word("yes", 3.4, 4))),
    ]
    assert [word.text for word in join(chunks)] == ["so", "well.", "yes"]


def test_chunks_that_share_nothing_follow() -> None:
    chunks = [Heard(0, 4, (Word("a", 3.9, 4.2),)), Heard(4, 8, (Word("a", 4.1, 4.5),)), Heard(8, 9, ())]
    assert join(chunks) == [Word("a", 3.9, 4.2), Word("a", 4.2, 4.5)]
    assert join([]) == []


@pytest.mark.parametrize("late", [-0.35, -0.1, 0.1, 0.35])
def test_a_word_in_the_very_middle_is_said_once_however_its_times_differ(late: float) -> None:
    chunks = [Heard(0, 4, (Word("x", 2.8 - late, 3.2 - late),)), Heard(2, 6, (Word("x", 2.8 + late, 3.2 + late),))]
    assert [word.text for word in join(chunks)] == ["x"]
