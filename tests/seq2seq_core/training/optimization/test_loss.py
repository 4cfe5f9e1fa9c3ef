from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization.loss import paired_loss, smoothed_loss


def example(rows: int = 40, vocabulary: int = 23) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits_RV = torch.randn(rows, vocabulary, generator=generator) * 3
    targets_R = torch.randint(1, vocabulary, (rows,), generator=generator)
    targets_R[::7] = PAD_ID
    return logits_RV, targets_R


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_values_and_gradient_are_those_of_the_plain_formula(smoothing: float) -> None:
    logits_RV, targets_R = example()
    ours, theirs = logits_RV.clone().requires_grad_(), logits_RV.double().requires_grad_()
    loss, nll = smoothed_loss(ours, targets_R, smoothing)
    expected = functional.cross_entropy(
        theirs, targets_R, ignore_index=PAD_ID, label_smoothing=smoothing, reduction="sum"
    )
    (loss * 0.37).backward()
    (expected * 0.37).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    plain = functional.cross_entropy(theirs.detach(), targets_R, ignore_index=PAD_ID, reduction="sum")
    assert nll.item() == pytest.approx(plain.item(), rel=1e-6)
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=1e-7, rtol=1e-5)


def test_padding_alone_costs_nothing_and_moves_nothing() -> None:
    logits_RV = torch.randn(5, 11, requires_grad=True)
    loss, nll = smoothed_loss(logits_RV, torch.full((5,), PAD_ID), 0.1)
    loss.backward()
    assert loss.item() == nll.item() == 0.0
    assert logits_RV.grad is not None
    assert torch.equal(logits_RV.grad, torch.zeros(5, 11))


def test_bfloat16_logits_get_a_bfloat16_gradient_and_a_float64_loss() -> None:
    logits_RV, targets_R = example()
    low = logits_RV.bfloat16().requires_grad_()
    loss, _ = smoothed_loss(low, targets_R, 0.1)
    loss.backward()
    assert loss.dtype == torch.float64
    assert low.grad is not None
    assert low.grad.dtype == torch.bfloat16
    assert loss.item() == pytest.approx(smoothed_loss(logits_RV, targets_R, 0.1)[0].item(), rel=1e-2)


def test_the_logits_are_left_as_they_are() -> None:
    logits_RV, targets_R = example()
    before = logits_RV.clone()
    smoothed_loss(logits_RV.requires_grad_(), targets_R, 0.1)[0].backward()
    assert torch.equal(logits_RV, before)


@pytest.mark.parametrize(("smoothing", "weight"), [(0.0, 5.0), (0.1, 1.0), (0.1, 0.0)])
def test_two_passes_have_the_values_and_gradients_of_the_plain_formula(smoothing: float, weight: float) -> None:
    one, targets_R = example()
    logits_2RV = torch.cat([one, one + torch.randn(one.shape, generator=torch.Generator().manual_seed(4))])
    ours, theirs = logits_2RV.clone().requires_grad_(), logits_2RV.double().requires_grad_()
    loss, nll = paired_loss(ours, targets_R, smoothing, weight)
    entropies = functional.cross_entropy(
        theirs, targets_R.repeat(2), ignore_index=PAD_ID, label_smoothing=smoothing, reduction="sum"
    )
    is_token_R = targets_R != PAD_ID
    first, second = (half[is_token_R] for half in torch.log_softmax(theirs, 1).chunk(2))
    apart = [functional.kl_div(a, b, reduction="sum", log_target=True) for a, b in ((first, second), (second, first))]
    expected = entropies / 2 + weight / 4 * (apart[0] + apart[1])
    (loss * 0.37).backward()
    (expected * 0.37).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    plain = functional.cross_entropy(theirs.detach(), targets_R.repeat(2), ignore_index=PAD_ID, reduction="sum")
    assert nll.item() == pytest.approx(plain.item() / 2, rel=1e-6)
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad.double(), theirs.grad, atol=1e-6, rtol=1e-5)
