"""Scores and prompts, against what Python makes of the same text."""

from __future__ import annotations

import math
import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq_core.corpora.terms.rows import Shape, parse_scores, split_prompt

TEXT = st.text(alphabet="ab \t\u2003\x85\x1f\u3000😀\0é", max_size=20)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@given(texts=st.lists(TEXT, min_size=1, max_size=8), words=st.integers(1, 4))
@example(texts=["", " ", "a", " a ", "a  b", "a b c "], words=2)
def test_a_prompt_is_the_first_words(texts: list[str], words: int) -> None:
    source, target = split_prompt(pa.array(texts), words)
    parts = [text.strip().split(None, words) for text in texts]
    assert source.to_pylist() == [" ".join(part[:words]) for part in parts]
    assert target.to_pylist() == ["".join(part[words:]) for part in parts]


@given(texts=st.lists(st.one_of(st.text(alphabet="01.e+- x", max_size=6), st.floats().map(str)), max_size=8))
@example(texts=["1", " 2 ", "+1", "nan", "inf", "1e999", "", "1_000", "0x1", "\u0661"])
def test_scores_are_finite_numbers(texts: list[str]) -> None:
    scores, problems = parse_scores(pa.array(texts, pa.string()))
    bad = {problem.row for problem in problems}
    for row, (text, score) in enumerate(zip(texts, scores.to_pylist(), strict=True)):
        is_number = NUMBER.fullmatch(text.strip()) is not None and math.isfinite(float(text))
        assert (row not in bad) == is_number
        if is_number:
            assert score == float(text)


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(25, 1)])
def test_numbers_of_any_type_are_scores(kind: pa.DataType) -> None:
    scores, problems = parse_scores(pa.array([3, None], pa.int64()).cast(kind))
    assert (scores[0].as_py(), [(p.row, p.value) for p in problems]) == (3.0, [(1, "no score")])


def test_of_a_text_alone_the_source_is_empty() -> None:
    sifted = Shape(texts=1).finish(5, [pa.array(["a", "b"])], [])
    assert sifted.kept.lines.to_pylist() == [5, 6]
    assert (sifted.kept.source.to_pylist(), sifted.kept.target.to_pylist()) == (["", ""], ["a", "b"])
