from __future__ import annotations

import itertools
import math

import pytest
import torch

from seq2seq_core.models.hearing.ctc import CtcHead
from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID

STATES, WIDTH, VOCABULARY = 4, 3, 7
A, B = 5, 6


def memory(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States, and where they are real."""
    generator = torch.Generator().manual_seed(2)
    states = torch.randn(len(lengths), STATES, WIDTH, dtype=torch.float64, generator=generator)
    mask = torch.arange(STATES) < torch.tensor(lengths)[:, None]
    return states.masked_fill(~mask[..., None], 1e3).requires_grad_(), mask


def head() -> CtcHead:
    torch.manual_seed(0)
    return CtcHead(WIDTH, VOCABULARY).double()


def by_hand(scores: torch.Tensor, tokens: list[int]) -> float:
    """The negative log of the summed probability of all paths that say these tokens."""
    total = 0.0
    for path in itertools.product(range(VOCABULARY), repeat=len(scores)):
        said = [token for token, _ in itertools.groupby(path) if token != PAD_ID]
        if said == tokens:
            total += math.exp(sum(scores[at, token].item() for at, token in enumerate(path)))
    return -math.log(total)


@pytest.mark.parametrize("tokens", [[A], [A, B], [A, A], [B, A, B]])
def test_it_sums_over_all_alignments(tokens: list[int]) -> None:
    ctc, (states, mask) = head(), memory(4)
    found = ctc.loss(states, mask, torch.tensor([[BOS_ID, *tokens]]))
    assert found.item() == pytest.approx(by_hand(ctc.scores(states)[0], tokens))


def test_rows_are_summed_up_to_their_ends() -> None:
    ctc, (states, mask) = head(), memory(4, 2)
    found = ctc.loss(states, mask, torch.tensor([[BOS_ID, A, B], [BOS_ID, A, PAD_ID]]))
    scores = ctc.scores(states)
    assert found.item() == pytest.approx(by_hand(scores[0], [A, B]) + by_hand(scores[1, :2], [A]))
    found.backward()
    assert states.grad is not None
    assert (states.grad[1, 2:] == 0).all()


@pytest.mark.parametrize(
    "targets",
    [[[BOS_ID], [BOS_ID]], [[BOS_ID, PAD_ID], [BOS_ID, PAD_ID]], [[BOS_ID, A, A, A], [BOS_ID, A, A, A]]],
    ids=["no columns", "no tokens", "too few states"],
)
def test_what_cannot_be_aligned_adds_nothing(targets: list[list[int]]) -> None:
    ctc, (states, mask) = head(), memory(4, 1)
    found = ctc.loss(states, mask, torch.tensor(targets))
    found.backward()
    assert found.item() == 0
    assert all((weight.grad == 0).all() for weight in ctc.parameters() if weight.grad is not None)
    assert all(weight.grad is not None for weight in ctc.parameters())


def test_scores_are_of_single_precision_at_least() -> None:
    states, _ = memory(4)
    assert head().scores(states).dtype == torch.float64
    scores = head().bfloat16().scores(states.detach().bfloat16())
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(1, STATES))
