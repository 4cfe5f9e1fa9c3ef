"""Whose place is first among texts that may be meant."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from seq2seq_core.metrics.risk import by_agreement


def order(*texts: str, weights: list[float] | None = None) -> list[int]:
    (found,) = by_agreement([texts], [np.array(weights or [1.0] * len(texts))])
    return found


def test_the_text_that_others_are_most_like_is_first() -> None:
    texts = ["eine Katze schläft", "ganz anderes", "eine Katze schlief", "die Katze schläft"]
    assert order(*texts)[0] == 0
    assert order(*texts)[-1] == 1
    assert order("b", "a", "a")[0] == 1
    assert order("a") == [0]


def test_probable_texts_count_more() -> None:
    texts = ["eine Katze schläft", "ein Hund", "ein Hund bellt"]
    assert order(*texts)[0] != 0
    assert order(*texts, weights=[0.9, 0.05, 0.05])[0] == 0


def test_long_texts_win_nothing() -> None:
    """All of the first is in the second, and would be the more to its credit by chrF2."""
    texts = ["ein Hund", "ein Hund und noch ein Hund, der bellt"]
    assert order(*texts) == [0, 1]


def test_an_empty_text_is_like_itself() -> None:
    assert order("a", "", weights=[0.1, 0.9]) == [1, 0]


TEXTS = st.lists(st.text("abc ", max_size=6), min_size=1, max_size=6)


@given(st.lists(TEXTS, max_size=4))
def test_every_place_is_named_once_and_rows_have_nothing_to_do_with_each_other(rows: list[list[str]]) -> None:
    weights = [np.arange(1.0, len(row) + 1) for row in rows]
    found = by_agreement(rows, weights)
    assert [sorted(one) for one in found] == [list(range(len(row))) for row in rows]
    assert found == [by_agreement([row], [of])[0] for row, of in zip(rows, weights, strict=True)]


@given(st.lists(st.text("abc ", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=6))
def test_it_is_the_chrf_of_sacrebleu(texts: list[str]) -> None:
    chrf = CHRF(beta=1)
    expected = [sum(chrf.sentence_score(text, [other]).score for other in texts) for text in texts]
    assert expected[order(*texts)[0]] >= max(expected) - 1e-6
