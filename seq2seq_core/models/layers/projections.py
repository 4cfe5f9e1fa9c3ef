"""Widths in, an initialised projection between them out; and what makes logits of the outputs of a decoder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional


def linear(inputs: int, outputs: int, parts: int = 1, *, bias: bool = True) -> nn.Linear:
    """A projection onto `parts` blocks of `outputs` each, every block initialised as if it stood alone.

    Weights by Glorot and Bengio 2010 (uniform), biases zero.
    """
    layer = nn.Linear(inputs, parts * outputs, bias=bias)
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
        return functional.linear(outputs, self.table_VE, self.bias_V)
