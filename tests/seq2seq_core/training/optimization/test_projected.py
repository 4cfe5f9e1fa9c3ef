from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq_core.models.interface import Forward
from seq2seq_core.models.layers.projections import Projection
from seq2seq_core.tokenizer.vocabulary import PAD_ID
from seq2seq_core.training.optimization import projected
from seq2seq_core.training.optimization.loss import forward_loss, smoothed_loss
from seq2seq_core.training.optimization.projected import fits, projected_loss


def example(rows: int, vocabulary: int, width: int, padding: float) -> tuple[Tensor, Projection, Tensor]:
    generator = torch.Generator().manual_seed(rows * 31 + vocabulary)
    outputs = torch.randn(rows, width, generator=generator).requires_grad_()
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
    smoothing=st.sampled_from([0.0, 0.1, 0.7]),
    padding=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_loss_and_gradients_are_those_of_all_logits_at_once(
    rows: int, vocabulary: int, at_once: int, smoothing: float, padding: float
) -> None:
    outputs, projection, targets = example(rows, vocabulary, 5, padding)
    weights = (outputs, projection.table_VE, projection.bias_V)
    expected = smoothed_loss(projection.logits(outputs), targets, smoothing)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projected, "_LOGITS_AT_ONCE", at_once)
        found = projected_loss(outputs, projection, targets, smoothing)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float64
        assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=1e-5)
    gradients = [torch.autograd.grad(loss[0] * 0.37, weights) for loss in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)


def test_very_large_logits_stay_finite() -> None:
    outputs, projection, targets = example(20, 11, 5, 0.2)
    loss, nll = projected_loss(outputs * 1e4, projection, targets, 0.1)
    loss.backward()
    assert loss.isfinite()
    assert nll.isfinite()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_without_gradients_it_is_the_same_loss() -> None:
    outputs, projection, targets = example(20, 11, 5, 0.2)
    with torch.no_grad():
        alone = projected_loss(outputs, projection, targets, 0.1)
    assert [value.item() for value in alone] == [
        value.item() for value in projected_loss(outputs, projection, targets, 0.1)
    ]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [9, 63, 64, 300])
def test_in_bfloat16_it_stays_as_close_as_with_all_logits_at_once(
    kind: torch.dtype, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projected, "_LOGITS_AT_ONCE", 128 * 30)
    outputs, projection, targets = example(rows, 30, 16, 0.2)
    weights = (outputs, projection.table_VE, projection.bias_V)
    exact = projected_loss(outputs, projection, targets, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        found = projected_loss(outputs.to(kind), projection, targets, 0.1)
        whole = smoothed_loss(projection.logits(outputs), targets, 0.1)
    assert found[0].item() != exact[0].item()
    gradients = [torch.autograd.grad(loss, weights) for loss in (exact[0], whole[0], found[0])]
    for want, usual, ours in zip(*gradients, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - want).norm() <= 1.2 * (usual - want).norm() + 1e-3 * want.norm()
    for ours, want in zip(found, exact, strict=True):
        assert ours.item() == pytest.approx(want.item(), rel=0.01)


def test_other_precisions_and_logits_without_a_projection_go_the_plain_way() -> None:
    outputs, projection, targets = example(6, 11, 5, 0.2)
    assert fits(outputs)
    assert fits(outputs.bfloat16())
    assert not fits(outputs.double())
    assert not fits(outputs.to("meta"))
    logits = projection.logits(outputs)
    plain = forward_loss(Forward(logits[None]), targets, 0.1)[0]
    assert plain.item() == smoothed_loss(logits, targets, 0.1)[0].item()
    whole = forward_loss(Forward(outputs[None], projection=projection), targets, 0.1)[0]
    assert whole.item() == pytest.approx(plain.item(), rel=1e-6)
