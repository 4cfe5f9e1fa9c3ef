from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq_core.models.interface import Forward
from seq2seq_core.models.layers.projections import Projection
from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization import projected_pair
from seq2seq_core.training.optimization.loss import Objective, paired_loss
from seq2seq_core.training.optimization.projected_pair import Weights, projected_paired_loss


def example(rows: int, vocabulary: int, width: int, padding: float) -> tuple[Tensor, Projection, Tensor]:
    generator = torch.Generator().manual_seed(rows * 31 + vocabulary)
    outputs = torch.randn(2 * rows, width, generator=generator).requires_grad_()
    table = torch.randn(vocabulary, width, generator=generator).requires_grad_()
    bias = torch.randn(vocabulary, generator=generator).requires_grad_()
    targets = torch.randint(1, vocabulary, (rows,), generator=generator)
    targets[torch.rand(rows, generator=generator) < padding] = PAD_ID
    return outputs, Projection(table, bias), targets


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40),
    vocabulary=st.integers(2, 30),
    at_once=st.integers(1, 400),
    weights=st.sampled_from([Weights(0.0, 0.5), Weights(0.1, 5.0), Weights(0.7, 2.0)]),
    padding=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_loss_and_gradients_are_those_of_all_logits_at_once(
    rows: int, vocabulary: int, at_once: int, weights: Weights, padding: float
) -> None:
    outputs, projection, targets = example(rows, vocabulary, 5, padding)
    learned = (outputs, projection.table_VE, projection.bias_V)
    expected = paired_loss(projection.logits(outputs), targets, *weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected_pair, "_LOGITS_AT_ONCE", at_once)
        found = projected_paired_loss(outputs, projection, targets, weights)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=1e-4)
    gradients = [torch.autograd.grad(loss[0] * 0.37, learned) for loss in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_very_large_logits_stay_finite() -> None:
    outputs, projection, targets = example(20, 11, 5, 0.2)
    loss, nll = projected_paired_loss(outputs * 1e4, projection, targets, Weights(0.1, 4.0))
    loss.backward()
    assert loss.isfinite()
    assert nll.isfinite()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_without_gradients_it_is_the_same_loss() -> None:
    outputs, projection, targets = example(20, 11, 5, 0.2)
    with torch.no_grad():
        alone = projected_paired_loss(outputs, projection, targets, Weights(0.1, 4.0))
    learning = projected_paired_loss(outputs, projection, targets, Weights(0.1, 4.0))
    assert [value.item() for value in alone] == [value.item() for value in learning]


@pytest.mark.parametrize("rows", [9, 40, 300])
def test_in_bfloat16_it_stays_as_close_as_with_all_logits_at_once(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projected_pair, "_LOGITS_AT_ONCE", 128 * 30)
    outputs, projection, targets = example(rows, 30, 16, 0.2)
    given = (outputs, projection.table_VE, projection.bias_V)
    weights = Weights(0.1, 4.0)
    exact = projected_paired_loss(outputs, projection, targets, weights)
    with torch.autocast("cpu", torch.bfloat16):
        found = projected_paired_loss(outputs, projection, targets, weights)
        whole = paired_loss(projection.logits(outputs), targets, *weights)
    assert found[0].item() != exact[0].item()
    gradients = [torch.autograd.grad(loss, given) for loss in (exact[0], whole[0], found[0])]
    for want, usual, ours in zip(*gradients, strict=True):
        assert (ours - want).norm() <= 1.2 * (usual - want).norm() + 1e-3 * want.norm()
    for ours, want in zip(found, exact, strict=True):
        assert ours.item() == pytest.approx(want.item(), rel=0.01)


def test_an_objective_goes_this_way_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, projection, targets = example(6, 11, 5, 0.2)
    objective = Objective(0.1, 4.0)
    whole = objective.losses(Forward(projection.logits(outputs).unflatten(0, (2, -1))), targets)
    found = Forward(outputs.unflatten(0, (2, -1)), projection=projection)
    in_parts = objective.losses(found, targets)
    assert in_parts[0].item() == pytest.approx(whole[0].item(), rel=1e-5)
    monkeypatch.setattr(
        "seq2seq_core.training.optimization.loss.projected_paired_loss", lambda *_given: ("this", "way")
    )
    assert objective.losses(found, targets) == ("this", "way")
