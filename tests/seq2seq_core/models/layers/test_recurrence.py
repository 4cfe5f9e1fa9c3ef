from __future__ import annotations

import pytest
import torch

from seq2seq_core.models.layers.recurrence import Cell, Recurrence


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_by_one_agrees_with_all_at_once(cell: Cell) -> None:
    torch.manual_seed(0)
    layer = Recurrence(cell, inputs=3, width=5).double()
    for bias in (layer.layer.bias_ih_l0, layer.layer.bias_hh_l0):
        torch.nn.init.normal_(bias)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    carry = tuple(torch.randn(2, 5, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1))
    expected = layer(x, carry)
    for position in range(6):
        carry = layer.advance(layer.project(x[:, position]), carry)
        torch.testing.assert_close(carry[0], expected[:, position])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_without_a_carry_it_starts_from_zeros(cell: Cell) -> None:
    layer = Recurrence(cell, inputs=3, width=5)
    x = torch.randn(2, 4, 3)
    zeros = (torch.zeros(2, 5),) * (2 if cell == "lstm" else 1)
    torch.testing.assert_close(layer(x), layer(x, zeros))


def test_recurrent_weights_start_orthogonal_and_forget_gates_open() -> None:
    layer = Recurrence("lstm", inputs=3, width=5)
    for block in layer.layer.weight_hh_l0.chunk(4):
        torch.testing.assert_close(block @ block.T, torch.eye(5))
    bias = layer.layer.bias_ih_l0 + layer.layer.bias_hh_l0
    assert bias.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert layer.gates == 20
    assert Recurrence("gru", inputs=3, width=5).gates == 15
