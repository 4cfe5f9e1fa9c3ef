from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.inference.combining import combined

PART, KEPT = 10, 3


def halved(texts: Mapping[int, str]) -> list[Prediction]:
    """A model that reads ten letters, and says the first three of them; part by part."""
    parts = [[text[start : start + PART] for start in range(0, len(text), PART)] for text in texts.values()]
    return [Prediction("".join(part[:KEPT] for part in some), -1.0, segments=len(some)) for some in parts]


@given(st.lists(st.text("abc", min_size=1, max_size=200), max_size=5))
def test_what_is_of_one_part_stays_and_the_rest_becomes_so(texts: list[str]) -> None:
    found = halved(dict(enumerate(texts)))
    result = combined(found, halved)
    assert [one.segments for one in result] == [one.segments for one in found]
    for before, after in zip(found, result, strict=True):
        assert len(after.text) <= KEPT if before.segments > 1 else after == before


def test_a_model_that_says_as_much_as_it_reads_is_asked_once_more_and_no_further() -> None:
    calls: list[Mapping[int, str]] = []

    def same(texts: Mapping[int, str]) -> list[Prediction]:
        calls.append(texts)
        return [Prediction(text, segments=-(-len(text) // PART)) for text in texts.values()]

    short, text = combined(same({0: "a", 1: "a" * 25}), same)
    assert (short.text, text.text, text.segments) == ("a", "a" * 25, 3)
    assert calls[1:] == [{1: "a" * 25}]


def test_what_fails_or_is_doubtful_on_the_way_is_told() -> None:
    first = Prediction("one two", segments=2, finished=False, flags=("truncated",), given=1)
    second = Prediction("one", segments=1, looping=True, flags=("looping",), given=1)
    (told,) = combined([first], lambda _: [second])
    assert (told.text, told.finished, told.looping, told.segments, told.given) == ("one", False, True, 2, 2)
    assert told.flags == ("truncated", "looping")
    (failed,) = combined([first], lambda _: [Prediction(error="why")])
    assert failed.error == "why"
    silent = replace(first, text=" ")
    assert combined([silent], lambda _: [second]) == [silent]
