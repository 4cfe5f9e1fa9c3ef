from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.decoding.steps.processor import Processing, Scoring
from seq2seq_core.decoding.steps.shares import LengthReward, Share
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

Model = Callable[..., Any]


class Watching(Processing):
    """Changes nothing, and checks that its rows go where those of the decoder go."""

    def __init__(self) -> None:
        self.prefixes: list[list[int]] = []
        self.seen: list[list[list[int]]] = []

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> Watching:
        self.prefixes = [[] for _ in range(len(memory.mask_BS) * width)]
        return self

    def __call__(self, scores_NV: torch.Tensor, tokens_N: torch.Tensor) -> torch.Tensor:
        for prefix, token in zip(self.prefixes, tokens_N.tolist(), strict=True):
            prefix.append(token)
        self.seen.append([list(prefix) for prefix in self.prefixes])
        return scores_NV

    def reorder(self, parents_N: torch.Tensor) -> None:
        self.prefixes = [list(self.prefixes[n]) for n in parents_N.tolist()]


class Forbidding(Watching):
    """Lets no token come after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def __call__(self, scores_NV: torch.Tensor, tokens_N: torch.Tensor) -> torch.Tensor:
        super().__call__(scores_NV, tokens_N)
        if len(self.seen) > self.steps:
            scores_NV[:] = -torch.inf
        return scores_NV


def sources(count: int = 14) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(5)
    lengths_B = torch.from_numpy(rng.integers(1, 9, count))
    return torch.from_numpy(rng.integers(4, 12, (count, 8))), lengths_B


def outputs(found: list[list[Hypothesis]]) -> list[list[tuple[list[int], bool, float]]]:
    return [[(h.tokens.tolist(), h.finished, h.score) for h in row] for row in found]


@pytest.mark.parametrize("beam", [1, 4])
def test_a_processor_that_changes_nothing_changes_nothing_and_moves_with_the_beam(
    hashed_model: Model, beam: int
) -> None:
    model, watching, options = hashed_model(end_bonus=1.0), Watching(), SearchConfig(beam=beam, n_best=beam)
    for found, wanted in zip(
        outputs(search(model, *sources(), options, [watching])),
        outputs(search(model, *sources(), options)),
        strict=True,
    ):
        assert [h[:2] for h in found] == [h[:2] for h in wanted]
        assert [h[2] for h in found] == pytest.approx([h[2] for h in wanted], abs=1e-5)
    lines = {tuple(prefix) for rows in watching.seen for prefix in rows}
    for row in search(model, *sources(), options):
        for h in row:
            assert (BOS_ID, *h.tokens.tolist()[: len(h.tokens) - (not h.finished)]) in lines


@pytest.mark.parametrize("beam", [1, 3])
def test_where_no_token_is_left_an_output_ends(hashed_model: Model, beam: int) -> None:
    model = hashed_model(end_bonus=-5.0)
    for row in search(model, *sources(), SearchConfig(beam=beam, n_best=beam), [Forbidding(2)]):
        assert row[0].finished
        assert len(row[0].tokens) == 2
        assert row[0].log_probability > -50


def test_without_processors_and_with_one_that_changes_nothing_the_best_are_the_same() -> None:
    logits_NV = torch.randn(6, 40)
    tokens_N, so_far_AW = torch.full((6,), BOS_ID), -torch.rand(2, 3)
    alone, beside = Scoring([]), Scoring([Share(1.0)])
    for found, wanted in zip(
        alone.best_sums(logits_NV.clone(), tokens_N, so_far_AW, 4),
        beside.best_sums(logits_NV.clone(), tokens_N, so_far_AW, 4),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted)


def test_shares_and_rewards() -> None:
    scores_NV = torch.tensor([[-2.0, -torch.inf]])
    assert Share(0.25)(scores_NV.clone(), scores_NV).tolist() == [[-0.5, -torch.inf]]
    assert LengthReward(3.0)(scores_NV.clone(), scores_NV).tolist() == [[1.0, -torch.inf]]


@pytest.mark.parametrize("beam", [1, 4])
def test_no_output_is_longer_than_its_processors_can_follow(hashed_model: Model, beam: int) -> None:
    class Short(Watching):
        @property
        def longest(self) -> int | None:
            return 3

    found = search(hashed_model(end_bonus=-1000.0), *sources(), SearchConfig(beam=beam), [Short()])
    assert {len(row[0].tokens) for row in found} == {3}
    assert not any(EOS_ID in row[0].tokens for row in found)
