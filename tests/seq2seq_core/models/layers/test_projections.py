from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from seq2seq_core.models.layers.projections import Projection, alike, linear, product


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


@pytest.mark.parametrize("frozen", ["x", "weight", "bias", "none"])
def test_bfloat16_products_learn_what_is_not_frozen(frozen: str) -> None:
    given = {"x": torch.randn(5, 24), "weight": torch.randn(8, 24), "bias": torch.randn(8)}
    for name, part in given.items():
        part.requires_grad_(name != frozen)
    with torch.autocast("cpu", torch.bfloat16):
        y = product(**given)
        product(given["x"], given["weight"])
    y.sum().backward()
    for name, part in given.items():
        assert (part.grad is None) == (name == frozen)
    if frozen != "weight":
        assert given["weight"].grad is not None
        torch.testing.assert_close(given["weight"].grad, given["x"].sum(0).expand(8, -1), rtol=0.02, atol=0.05)


def test_what_is_already_bfloat16_stays_so() -> None:
    layer = linear(24, 8).bfloat16()
    x = torch.randn(2, 3, 24, dtype=torch.bfloat16, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert x.grad.dtype == layer.weight.grad.dtype == torch.bfloat16
    with torch.inference_mode():
        assert layer(x).shape == (2, 3, 8)


def test_rows_that_are_alike_end_in_zeros() -> None:
    assert alike(torch.ones(5, 13, 7)).shape == (128, 7)
    assert alike(torch.ones(5, 13, 7)).sum() == 5 * 13 * 7
    assert alike(torch.ones(128, 7)).shape == (128, 7)
    assert alike(torch.ones(0, 7)).shape == (0, 7)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # dynamo does so itself
def test_bfloat16_products_compile_as_one() -> None:
    layer, x = linear(24, 8), torch.randn(5, 13, 24)
    whole = torch.compile(layer, fullgraph=True, backend="eager")
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(whole(x), layer(x))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_logits_of_steps_are_the_same(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    projection = Projection(torch.randn(9, 4, dtype=kind), torch.randn(9, dtype=kind))
    outputs = torch.randn(5, 4, dtype=kind)
    torch.testing.assert_close(projection.for_steps()(outputs), projection.logits(outputs))
