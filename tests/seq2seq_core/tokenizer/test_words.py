"""Words of columns: where rows are cut, and which models and rows may be."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, Piece, PieceKind
from seq2seq_core.tokenizer.words import SCORE_STEP, cut_rows, longest_cut

PIECES = (
    Piece("<unk>", 0.0, PieceKind.UNKNOWN),
    Piece("a b\u2581", 0.0, PieceKind.CONTROL),
    Piece("<0x41>", 0.0, PieceKind.BYTE),
    *(Piece(text, score, PieceKind.NORMAL) for text, score in [("\u2581", -2.5), ("\u2581\u2581a", -6.0), ("b", -4.0)]),
)
BPE = ModelFacts(ModelType.BPE, PIECES, rewrites=False, dummy_prefix=True, escapes_spaces=True, space_as_suffix=False)


def words_of(texts: list[str], longest: int = sys.maxsize) -> list[list[str]]:
    words, rows = cut_rows(pa.array(texts, pa.string()), longest)
    words.validate(full=True)
    held = words.to_pylist()
    assert rows[0] == 0
    assert rows[-1] == len(held)
    return [held[begin:end] for begin, end in itertools.pairwise(rows)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", [""]),
        (" ", [" "]),
        ("  ", ["  "]),
        ("a", ["a"]),
        ("the old man", ["the", "old", "man"]),
        (" a b ", [" a", "b "]),
        ("a  b   c", ["a", " b", "  c"]),
        ("a  ", ["a", " "]),
        ("a\tb\u3000c\u00a0 d", ["a\tb\u3000c\u00a0", "d"]),
        ("a\u2581 b \u2581c", ["a\u2581 b", "\u2581c"]),
        ("\u0441 \u0401 \U00012581 d", ["\u0441", "\u0401", "\U00012581", "d"]),
    ],
)
def test_rows_are_cut_at_single_spaces(text: str, words: list[str]) -> None:
    assert words_of([text]) == [words]
    assert words_of(["x y", text, "", text]) == [["x", "y"], words, [""], words]


@given(st.lists(st.text("ab \u2581\u00e9", max_size=12), max_size=8), st.integers(0, 20))
def test_words_with_the_spaces_between_them_are_the_rows(texts: list[str], longest: int) -> None:
    rows = words_of(texts, longest)
    assert [" ".join(words) for words in rows] == texts
    assert all(len(words) == 1 for text, words in zip(texts, rows, strict=True) if len(text.encode()) > longest)


def test_longer_rows_stay_whole() -> None:
    assert words_of(["a é", "a bc", "a b", "a bcd"], longest=4) == [["a", "é"], ["a", "bc"], ["a", "b"], ["a bcd"]]


def test_a_slice_is_cut_alone() -> None:
    words, rows = cut_rows(pa.array(["a b", "c d", "e"])[1:2], sys.maxsize)
    assert words.to_pylist() == ["c", "d"]
    np.testing.assert_array_equal(rows, [0, 2])


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
