"""Widths in, an initialised projection between them out."""

from __future__ import annotations

from torch import nn


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
