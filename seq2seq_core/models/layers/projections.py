"""Widths in, an initialised projection between them out; products with weights; and what makes logits of outputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

ROWS_ALIKE = 64


class Linear(nn.Linear):
    """One whose products are `product`."""

    def forward(self, x: Tensor) -> Tensor:
        """Rows of the inputs' width in, of the outputs' out."""
        return product(x, self.weight, self.bias)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, with rows of zeros behind x where that makes bfloat16 fast: see `alike`."""
    if x.device.type != "cpu" or not is_bfloat16(x):
        return functional.linear(x, weight, bias)
    made: Tensor = _Bfloat16Product.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return made


def is_bfloat16(x: Tensor) -> bool:
    """Whether x is multiplied in bfloat16, for what it is or by autocast."""
    kind = x.device.type
    return x.dtype == torch.bfloat16 or (
        torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16
    )


def alike(x: Tensor) -> Tensor:
    """The rows of x (... x W) in bfloat16, and rows of zeros behind them up to the next 64th.

    On a CPU oneDNN prepares products of bfloat16 for each number of rows that it meets, which takes as long as one of
    them. So there is only every 64th number.
    """
    rows = x.reshape(-1, x.size(-1))
    if len(rows) % ROWS_ALIKE == 0:
        return rows.to(torch.bfloat16)
    made = rows.new_empty(len(rows) + -len(rows) % ROWS_ALIKE, rows.size(1), dtype=torch.bfloat16)
    made[: len(rows)] = rows
    made[len(rows) :] = 0
    return made


class _Bfloat16Product(torch.autograd.Function):
    """What autograd would do for such rows; but it copies rows to another type, and then again to have more of them.

    What it gives is a view, which autograd lets nobody write to.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows, weight_16 = alike(x), weight.to(torch.bfloat16)
        ctx.save_for_backward(rows, weight_16)
        ctx.shape, ctx.kinds = x.shape, (x.dtype, weight.dtype, None if bias is None else bias.dtype)
        made = functional.linear(rows, weight_16, None if bias is None else bias.to(torch.bfloat16))
        return made[: x.shape[:-1].numel()].view(*x.shape[:-1], len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight_16 = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        x_kind, weight_kind, bias_kind = ctx.kinds
        made = alike(gradients[0])
        if ctx.needs_input_grad[0]:
            of_x = (made @ weight_16)[: ctx.shape[:-1].numel()].view(ctx.shape).to(x_kind)
        if ctx.needs_input_grad[1]:
            of_weight = (made.t() @ rows).to(weight_kind)
        if ctx.needs_input_grad[2]:
            of_bias = made.sum(0, dtype=torch.float32).to(bias_kind)
        return of_x, of_weight, of_bias


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

    def for_steps(self) -> Callable[[Tensor], Tensor]:
        """What gives logits too, and is made once for many products of few rows.

        On a CPU PyTorch writes the bias to every row first, and has the product add to it, which takes a sixth as long
        again (at 4,000 x 128). So the bias is one more column of the table, and outputs get a 1 to multiply it.
        """
        if self.table_VE.device.type != "cpu" or is_bfloat16(self.table_VE):
            return self.logits
        return functools.partial(_joined_logits, torch.cat((self.table_VE, self.bias_V[:, None]), 1).t())


def _joined_logits(table: Tensor, outputs: Tensor) -> Tensor:
    return functional.pad(outputs, (0, 1), value=1.0) @ table
