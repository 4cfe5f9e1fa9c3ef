from __future__ import annotations

import pytest
import torch

from seq2seq_core.models.layers.dropout import Dropout, kept


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.999])
def test_the_share_is_dropped_and_the_mean_is_kept(share: float) -> None:
    torch.manual_seed(1)
    factors = kept((1000, 301), share, torch.zeros(()))
    assert (factors == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert factors.mean().item() == pytest.approx(1.0, rel=0.2 if share > 0.9 else 0.01)
    assert len(factors.unique()) == 2


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(2)
    dropped = (kept((400_000,), 0.5, torch.zeros(())) == 0).float() - 0.5
    for distance in range(1, 9):
        assert abs((dropped[distance:] * dropped[:-distance]).mean().item()) < 0.002


def test_the_gradient_passes_where_numbers_do() -> None:
    torch.manual_seed(3)
    x = torch.ones(50, 7, requires_grad=True)
    y = Dropout(0.3)(x)
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, y)


def test_the_seed_of_torch_decides() -> None:
    layer, x = Dropout(0.5), torch.ones(100)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(layer(x))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_outside_training_and_without_a_share_nothing_is_drawn() -> None:
    x, before = torch.ones(10), torch.get_rng_state()
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_of_low_precision_stay_so() -> None:
    assert Dropout(0.5)(torch.ones(10, dtype=torch.bfloat16)).dtype == torch.bfloat16
