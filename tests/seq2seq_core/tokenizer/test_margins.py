"""Margins of words are those of all their cuts, and rows that rounding might decide are found."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.tokenizer.margins import Margins, doubtful_rows
from seq2seq_core.tokenizer.proto import Piece, PieceKind

TEXTS = ["_", "a", "b", "_a", "ab", "ba", "aa", "bab", "_ab", "abab", "\U0001f642"]


def cuts(word: str, scores: dict[str, float]) -> list[float]:
    """The scores of all cuts of a word, best first."""
    found = []
    for inner in itertools.product([False, True], repeat=len(word) - 1):
        places = [0, *(place for place, cut in enumerate(inner, 1) if cut), len(word)]
        parts = [word[begin:end] for begin, end in itertools.pairwise(places)]
        if all(part in scores for part in parts):
            found.append(sum(scores[part] for part in parts))
    return sorted(found, reverse=True)


@settings(deadline=None)
@given(
    st.lists(st.text("ab\U0001f642c", min_size=1, max_size=7), max_size=6),
    st.lists(st.integers(-4000, 0), min_size=len(TEXTS), max_size=len(TEXTS)),
)
def test_margins_are_those_of_all_cuts(words: list[str], numbers: list[int]) -> None:
    scores = {text: number / 256 for text, number in zip(TEXTS, numbers, strict=True)}
    pieces = [Piece(text, score, PieceKind.NORMAL) for text, score in scores.items()]
    margins, best, letters = Margins(pieces, "_").measure(pa.array(words, pa.string()))
    for word, margin, score, length in zip(words, margins, best, letters, strict=True):
        expected = cuts(f"_{word}", scores)
        assert length == len(word) + 1
        if expected:
            assert score == pytest.approx(expected[0])
            assert margin == pytest.approx(expected[0] - expected[1] if len(expected) > 1 else np.inf)
        else:
            assert (margin, score) == (0, 0)


def test_very_long_words_have_no_margin() -> None:
    margins, _, letters = Margins([Piece(text, -1.0, PieceKind.NORMAL) for text in "_a"], "_").measure(
        pa.array(["a" * 39, "a" * 40])
    )
    assert margins.tolist() == [np.inf, 0]
    assert letters.tolist() == [40, 41]


def test_rows_are_doubtful_when_one_word_is_within_rounding() -> None:
    margins = np.array([1.0, 1e-3, np.inf, 1.0, 1e-3, 0.0])
    scores, letters = np.full(6, -10.0), np.full(6, 5)
    assert doubtful_rows(margins, scores, letters, np.array([0, 2, 4])).tolist() == [False, False, True]
    far = doubtful_rows(margins, 100 * scores, letters, np.array([0, 2, 4]))
    assert far.tolist() == [True, False, True]
    assert doubtful_rows(margins[:0], scores[:0], letters[:0], np.array([], np.int64)).tolist() == []
