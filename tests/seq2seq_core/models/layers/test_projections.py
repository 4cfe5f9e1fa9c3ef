from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from seq2seq_core.models.layers.projections import linear


def test_fused_projections_are_initialised_block_by_block() -> None:
    torch.manual_seed(0)
    layer = linear(64, 64, parts=3)
    bound = (6 / 128) ** 0.5
    assert layer.weight.shape == (192, 64)
    assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert layer.bias.abs().max() == 0


@pytest.mark.parametrize("rows", [1, 63, 64, 65])
def test_bfloat16_products_are_of_the_rows_alone(rows: int) -> None:
    layer = linear(24, 8)
    x = torch.randn(rows, 3, 24, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    y.float().square().sum().backward()
    got = [part.grad.clone() for part in (x, layer.weight, layer.bias) if part.grad is not None]

    layer.zero_grad()
    x.grad = None
    plain = functional.linear(x.bfloat16(), layer.weight.bfloat16(), layer.bias.bfloat16())
    plain.float().square().sum().backward()
    expected = [part.grad for part in (x, layer.weight, layer.bias) if part.grad is not None]

    assert y.dtype == torch.bfloat16
    assert len(got) == len(expected) == 3
    torch.testing.assert_close(y, plain, rtol=0.02, atol=0.02)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02 * other.abs().max().item())


def test_bfloat16_products_have_few_numbers_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    whole = functional.linear
    monkeypatch.setattr(functional, "linear", lambda x, *given: seen.append(len(x)) or whole(x, *given))
    layer = linear(4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        for rows in range(1, 130):
            assert len(layer(torch.ones(rows, 4))) == rows
    assert set(seen) == {64, 128, 192}
    seen.clear()
    layer(torch.ones(5, 4))
    assert seen == [5]
