"""Widths in, an initialised projection between them out; products with weights; and what makes logits of outputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_ROWS_ALIKE = 64


class Linear(nn.Linear):
    """One whose products are `product`."""

    def forward(self, x: Tensor) -> Tensor:
        """Rows of the inputs' width in, of the outputs' out."""
        return product(x, self.weight, self.bias)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, with rows of zeros behind x where that makes bfloat16 fast.

    On a CPU oneDNN prepares products of bfloat16 for each number of rows that it meets, which takes as long as one of
    them. So there is only every 64th number.
    """
    if x.device.type != "cpu" or not (x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu")):
        return functional.linear(x, weight, bias)
    rows = x.reshape(-1, x.size(-1)).to(torch.bfloat16)
    padded = functional.pad(rows, (0, 0, 0, -len(rows) % _ROWS_ALIKE))
    return functional.linear(padded, weight, bias)[: len(rows)].view(*x.shape[:-1], len(weight))


def linear(inputs: int, outputs: int, parts: int = 1, *, bias: bool = True) -> nn.Linear:
    """A projection onto `parts` blocks of `outputs` each, every block initialised as if it stood alone.

    Weights by Glorot and Bengio 2010 (uniform), biases zero.
    """
    layer = Linear(inputs, parts * outputs, bias=bias)
    for block in layer.weight.chunk(parts):
        nn.init.xavier_uniform_(block)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


@dataclass(frozen=True)
class Projection:
    """What makes logits of the outputs (width E) of a decoder: a table (V x E), and a bias (V)."""

    table_VE: Tensor
    bias_V: Tensor

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits (... x V) of outputs (... x E)."""
        return product(outputs, self.table_VE, self.bias_V)
