from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.modalities.text import Text

Model = Callable[..., Any]


def sentences(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(4, 12, rng.integers(1, 9)).astype(np.int32) for _ in range(count)]


def run(model: Any, **how: Any) -> list[list[Hypothesis]]:
    return generate(model, Text(), sentences(12), SearchConfig(**how), 10_000)


@pytest.mark.parametrize("beam", [1, 4])
def test_what_is_left_unattended_counts_against_an_output(hashed_model: Model, beam: int) -> None:
    model = hashed_model(end_bonus=1.0)
    for row in run(model, beam=beam, n_best=beam, coverage_penalty=0.7, attention=True):
        for one in row:
            assert one.attention is not None
            sums = np.minimum(one.attention.sum(0), 1)
            expected = one.log_probability / len(one.attention) + 0.7 * np.log(sums).sum()
            assert one.score == pytest.approx(expected, abs=1e-4)
        assert [one.score for one in row if one.finished] == sorted((o.score for o in row if o.finished), reverse=True)


def test_it_has_an_effect_on_a_beam(hashed_model: Model) -> None:
    model = hashed_model(end_bonus=1.0)
    plain, covered = ([r[0].tokens.tolist() for r in run(model, **how)] for how in ({}, {"coverage_penalty": 5.0}))
    assert plain != covered
    assert sum(map(len, covered)) > sum(map(len, plain))


@pytest.mark.parametrize("beam", [1, 3])
def test_hard_alignment_is_where_attention_is_strongest(hashed_model: Model, beam: int) -> None:
    for (soft,), (hard,) in zip(
        run(hashed_model(), beam=beam, attention=True), run(hashed_model(), beam=beam, alignment=True), strict=True
    ):
        assert soft.attention is not None
        assert hard.alignment is not None
        assert hard.attention is None
        assert hard.alignment.tolist() == soft.attention[: len(soft.tokens)].argmax(1).tolist()
