"""Words of columns: where rows are cut, and which models and rows may be."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.tokenizer import words as words_module
from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, Piece, PieceKind
from seq2seq_core.tokenizer.words import SCORE_STEP, KnownWords, cut_rows, longest_cut, whole_rows

PIECES = (
    Piece("<unk>", 0.0, PieceKind.UNKNOWN),
    Piece("a b\u2581", 0.0, PieceKind.CONTROL),
    Piece("<0x41>", 0.0, PieceKind.BYTE),
    *(Piece(text, score, PieceKind.NORMAL) for text, score in [("\u2581", -2.5), ("\u2581\u2581a", -6.0), ("b", -4.0)]),
)
BPE = ModelFacts(ModelType.BPE, PIECES, rewrites=False, dummy_prefix=True, escapes_spaces=True, space_as_suffix=False)


def words_of(texts: list[str]) -> list[list[str]]:
    words, rows = cut_rows(pa.array(texts, pa.string()))
    words.validate(full=True)
    held = words.to_pylist()
    assert rows[0] == 0
    assert rows[-1] == len(held)
    return [held[begin:end] for begin, end in itertools.pairwise(rows)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", ["a"]),
        ("the old man", ["the ", "old ", "man"]),
        ("a\tb\u3000c\u00a0 d", ["a\tb\u3000c\u00a0 ", "d"]),
        ("\u0441 \u0401 \U00012581 d", ["\u0441 ", "\u0401 ", "\U00012581 ", "d"]),
    ],
)
def test_rows_are_cut_behind_their_spaces(text: str, words: list[str]) -> None:
    assert words_of([text]) == [words]
    assert words_of(["x y", text, text]) == [["x ", "y"], words, words]
    assert not whole_rows(pa.array([text]), sys.maxsize).any()


@given(st.lists(st.text("ab \u2581\u00e9", max_size=12), max_size=8), st.integers(0, 20), st.integers(0, 3))
def test_rows_of_other_than_single_spaces_between_words_stay_whole(texts: list[str], longest: int, skip: int) -> None:
    whole = whole_rows(pa.array(texts, pa.string())[skip:], longest)
    expected = ["" in text.split(" ") or "\u2581" in text or len(text.encode()) > longest for text in texts[skip:]]
    assert whole.tolist() == expected
    cut = [text for text, stays in zip(texts[skip:], expected, strict=True) if not stays]
    assert ["".join(words) for words in words_of(cut)] == cut
    assert all(word.strip(" ") and " " not in word[:-1] for words in words_of(cut) for word in words)


def test_longer_rows_stay_whole() -> None:
    assert whole_rows(pa.array(["a \u00e9", "a bc", "a b", "a bcd"]), longest=4).tolist() == [False, False, False, True]


def test_a_slice_is_cut_alone() -> None:
    column = pa.array(["a b", "c d", "e "])
    words, rows = cut_rows(column[1:2])
    assert words.to_pylist() == ["c ", "d"]
    np.testing.assert_array_equal(rows, [0, 2])
    assert whole_rows(column[1:2], sys.maxsize).tolist() == [False]
    assert whole_rows(pa.array(["", ""]), sys.maxsize).tolist() == [True, True]


def spelt(asked: list[str], words: pa.StringArray) -> pa.ListArray:
    asked += words.to_pylist()
    return pa.array([[ord(letter) for letter in word] for word in words.to_pylist()], pa.list_(pa.uint16()))


def test_words_are_asked_for_once() -> None:
    asked: list[str] = []
    known = KnownWords(functools.partial(spelt, asked))
    for words in (["b", "a", "b"], ["a"], [], ["c", "a", "c", ""]):
        column = pa.array(words, pa.string())
        assert known.look_up(column).to_pylist() == spelt([], column).to_pylist()
    assert asked == ["b", "a", "c", ""]


@pytest.mark.parametrize("limit", ["_MOST_WORDS", "_MOST_WORD_BYTES"])
def test_no_more_words_are_remembered_than_memory_is_set_aside_for(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_module, limit, 40)
    asked: list[str] = []
    known = KnownWords(functools.partial(spelt, asked))
    many = [f"{number:06}" for number in range(50)]
    for words in (many[:2], many, many[:3]):
        assert known.look_up(pa.array(words)).to_pylist() == spelt([], pa.array(words)).to_pylist()
    assert asked == [*many, many[2]]


def with_piece(text: str, kind: PieceKind = PieceKind.NORMAL) -> dict[str, Any]:
    return {"pieces": (*PIECES, Piece(text, -1.0, kind))}


@pytest.mark.parametrize(
    "change",
    [
        {"rewrites": True},
        {"dummy_prefix": False},
        {"escapes_spaces": False},
        {"space_as_suffix": True},
        {"type": 3},
        {"type": 4},
        {"pieces": tuple(piece for piece in PIECES if piece.text != "\u2581")},
        with_piece("a\u2581"),
        with_piece("\u2581a\u2581b"),
        with_piece("c", PieceKind.USER_DEFINED),
        with_piece("c", PieceKind.UNUSED),
    ],
)
def test_rows_of_models_with_rules_across_words_stay_whole(change: dict[str, Any]) -> None:
    assert longest_cut(BPE) == sys.maxsize
    assert longest_cut(dataclasses.replace(BPE, **change)) == 0


def unigram(*scores: float) -> ModelFacts:
    pieces = tuple(Piece("\u2581" if not i else f"{i}", score, PieceKind.NORMAL) for i, score in enumerate(scores))
    return dataclasses.replace(BPE, type=ModelType.UNIGRAM, pieces=(PIECES[0], *pieces))


def test_unigram_rows_are_cut_while_their_sums_are_exact() -> None:
    facts = unigram(-2.5, -6.0)
    longest = longest_cut(facts)
    worst = np.float32(-16)  # an unknown character
    # Below the limit a step more or less is seen in the worst sum, above a row of twice the length it is not.
    assert np.float32(worst * (longest + 1)) + np.float32(SCORE_STEP) != np.float32(worst * (longest + 1))
    assert np.float32(worst * 2 * (longest + 2)) - np.float32(SCORE_STEP) == np.float32(worst * 2 * (longest + 2))
    assert longest_cut(unigram(-2.5, 100.0)) < longest
    assert longest_cut(unigram(-2.5, -6.0 + SCORE_STEP / 2)) == 0
    assert longest_cut(unigram(-2.5, -1e9)) == 0
