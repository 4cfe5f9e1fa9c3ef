from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.terms.alignments import BAD_ALIGNMENT, beyond, parse_alignments
from seq2seq_core.records import ALIGNMENTS

PAIRS = st.lists(st.tuples(st.integers(0, 999_999), st.integers(0, 999_999)), max_size=5)


@given(st.lists(PAIRS, max_size=8), st.sampled_from([" ", "  ", "\t"]), st.sampled_from(["", " ", "\r"]))
def test_pairs_are_read_as_they_were_written(rows: list[list[tuple[int, int]]], between: str, around: str) -> None:
    texts = [around + between.join(f"{i}-{j}" for i, j in row) + around for row in rows]
    found, problems = parse_alignments(pa.array(texts, pa.string()))
    assert not problems
    assert found.type == ALIGNMENTS
    assert found.to_pylist() == [[number for pair in row for number in pair] for row in rows]


@pytest.mark.parametrize(
    "text", ["x", "0", "0-", "-1", "0-0-0", "0-0,1-1", "0:0", "1.0-2", "0-0 x", "-1-0", "1000000-0", "٣-0"]
)
def test_what_is_no_pair_is_named(text: str) -> None:
    found, problems = parse_alignments(pa.array(["0-1 2-3", text, "", "4-5"]))
    assert [(problem.row, problem.rule, problem.value) for problem in problems] == [
        (1, BAD_ALIGNMENT, f"alignment {text}")
    ]
    assert "0-0 1-2" in problems[0].threshold
    assert found.to_pylist() == [[0, 1, 2, 3], [], [], [4, 5]]


def test_a_row_without_a_text_is_named() -> None:
    found, problems = parse_alignments(pa.array([None, "0-0"], pa.string()))
    assert [(problem.row, problem.value) for problem in problems] == [(0, "no alignment")]
    assert found.to_pylist() == [[], [0, 0]]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), PAIRS), max_size=8))
def test_words_that_are_not_there(rows: list[tuple[int, int, list[tuple[int, int]]]]) -> None:
    small = [(s, t, [(i % 6, j % 6) for i, j in pairs]) for s, t, pairs in rows]
    pairs = pa.array([[number for pair in row for number in pair] for _, _, row in small], ALIGNMENTS)
    words = [np.array([row[side] for row in small], np.int64) for side in range(2)]
    expected = {
        number: next((i, j) for i, j in row if i >= s or j >= t)
        for number, (s, t, row) in enumerate(small)
        if any(i >= s or j >= t for i, j in row)
    }
    problems = beyond(pairs, *words)
    assert [problem.row for problem in problems] == [*expected]
    assert [problem.value for problem in problems] == [f"alignment {i}-{j}" for i, j in expected.values()]
    for begin in range(len(small)):  # a slice, whose offsets do not begin with 0
        part = beyond(pairs.slice(begin), words[0][begin:], words[1][begin:])
        assert [problem.row + begin for problem in part] == [row for row in expected if row >= begin]
