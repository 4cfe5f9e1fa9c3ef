"""What is invented is not believed; what runs on is said once; what is true is left as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.engines.recognition import Recognized, Word
from seq2seq_core.inference.speech.words.gates import Believed, GateConfig, believed, without_repetitions

GATE = GateConfig()


def recognized(text: str, score: float | None = -0.1, **more: object) -> Recognized:
    words = tuple(Word(word, place, place + 0.5) for place, word in enumerate(text.split()))
    return Recognized(text, words, score, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "found",
    [
        recognized(""),
        recognized("  "),
        recognized("thank you for watching", -2.5),
        recognized("thank you", -1.2, no_speech=0.8),
        recognized("thank you", None, no_speech=0.8),
    ],
)
def test_what_is_invented_is_not_believed(found: Recognized) -> None:
    assert not believed(found, GATE).recognized.text


@pytest.mark.parametrize(
    "found",
    [
        recognized("one two"),
        recognized("one two", -1.9),
        recognized("one two", None),
        recognized("one two", -0.9, no_speech=0.9),
        recognized("one two", -1.9, no_speech=0.5),
    ],
)
def test_what_is_sure_enough_is_believed(found: Recognized) -> None:
    assert believed(found, GATE) == Believed(found)


def test_all_is_believed_where_that_is_asked_for() -> None:
    found = recognized("one", -9.0)
    assert believed(found, GateConfig(max_loss=None)) == Believed(found)


def test_what_runs_on_to_the_length_limit_is_said_once() -> None:
    found = believed(recognized("so i say " + "and then " * 12, finished=False), GATE)
    assert (found.recognized.text, found.cut, found.looping) == ("so i say and then", True, True)
    assert [word.text for word in found.recognized.words] == ["so", "i", "say", "and", "then"]


def test_what_ends_by_itself_is_left_as_it_is_and_told_of() -> None:
    found = recognized("no " * 8 + "stop")
    assert believed(found, GATE) == Believed(found, looping=True)


WORDS = st.lists(st.sampled_from("abcd"), max_size=30)


@given(WORDS)
def test_what_is_not_said_twice_in_a_row_is_left_as_it_is(texts: list[str]) -> None:
    words = [Word(text, place, place + 1) for place, text in enumerate(texts)]
    kept = [word.text for word in without_repetitions(words)]
    assert set(kept) == set(texts)
    if len(set(texts)) == len(texts):
        assert kept == texts


@given(WORDS.filter(lambda texts: 0 < len(texts) <= 8), st.integers(2, 6))
def test_a_phrase_said_again_and_again_is_said_once(phrase: list[str], times: int) -> None:
    words = [Word(text, place, place + 1) for place, text in enumerate(phrase * times)]
    once = [Word(text, place, place + 1) for place, text in enumerate(phrase)]
    assert len(without_repetitions(words)) <= len(once)
