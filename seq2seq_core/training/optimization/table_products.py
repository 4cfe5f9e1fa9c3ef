"""A table and rows of outputs in; their logits, and what gradients of logits are of both, a few rows at a time, out.

Shape legend: C rows at once, W rows that wait, E output width, V target vocabulary.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.models.layers.projections import ROWS_ALIKE, alike

_WIDTHS_THAT_WAIT = 4
"""So many rows for each column of the table wait, which makes going through its gradient a small part of the work."""
_LOGITS_THAT_WAIT = 1 << 26
"""But no more than this: 128 megabytes."""


class TableProducts(Protocol):
    """What is as wide as the vocabulary is multiplied here, and is float32 before and after."""

    def rows(self, logits_at_once: int, count: int) -> int:
        """How many of so many rows are best multiplied at once."""
        ...

    def logits(self, outputs_CE: Tensor, into_CV: Tensor) -> Tensor:
        """The logits of outputs (C x E), which are written where they are told to be."""
        ...

    def gradients(self, logits_CV: Tensor, outputs_CE: Tensor, into_CE: Tensor) -> None:
        """Gradients of logits in, no more than `rows` says; those of outputs are written where they are told to be.

        That may be as late as when `table` is asked for.
        """
        ...

    def table(self) -> Tensor:
        """The gradient of the table (V x E), summed over all rows so far."""
        ...


def table_products(table_VE: Tensor, bias_V: Tensor, *, is_bfloat16: bool) -> TableProducts:
    """Those of a table and what is added to its logits (float32), which may be multiplied in bfloat16."""
    return _Bfloat16(table_VE, bias_V) if is_bfloat16 else _Float32(table_VE, bias_V)


class _Float32:
    def __init__(self, table_VE: Tensor, bias_V: Tensor) -> None:
        self._table_VE, self._bias_V = table_VE, bias_V
        self._sum_VE = torch.zeros_like(table_VE)

    def rows(self, logits_at_once: int, count: int) -> int:
        return min(max(1, logits_at_once // len(self._table_VE)), count)

    def logits(self, outputs_CE: Tensor, into_CV: Tensor) -> Tensor:
        return torch.addmm(self._bias_V, outputs_CE, self._table_VE.t(), out=into_CV)

    def gradients(self, logits_CV: Tensor, outputs_CE: Tensor, into_CE: Tensor) -> None:
        torch.mm(logits_CV, self._table_VE, out=into_CE)
        self._sum_VE.addmm_(logits_CV.t(), outputs_CE)

    def table(self) -> Tensor:
        return self._sum_VE


class _Bfloat16:
    """No product of bfloat16 adds to what is float32: a gradient as large as the table has to be gone through for that.

    So gradients of logits wait until there are several times as many rows as the table is wide.
    """

    def __init__(self, table_VE: Tensor, bias_V: Tensor) -> None:
        self._table_VE, self._bias_V = table_VE.to(torch.bfloat16), bias_V.to(torch.bfloat16)
        self._sum_VE = torch.zeros_like(table_VE)
        most = min(_WIDTHS_THAT_WAIT * table_VE.size(1), _LOGITS_THAT_WAIT // len(table_VE))
        self._room = max(1, most // ROWS_ALIKE) * ROWS_ALIKE
        self._rows_WV, self._outputs_WE = (self._table_VE.new_empty(self._room, size) for size in table_VE.shape)
        self._into: list[Tensor] = []
        self._waiting = 0

    def rows(self, logits_at_once: int, count: int) -> int:
        rows = max(1, logits_at_once // len(self._table_VE) // ROWS_ALIKE) * ROWS_ALIKE
        return min(rows, self._room, count)

    def logits(self, outputs_CE: Tensor, into_CV: Tensor) -> Tensor:
        return into_CV.copy_(functional.linear(alike(outputs_CE), self._table_VE, self._bias_V)[: len(outputs_CE)])

    def gradients(self, logits_CV: Tensor, outputs_CE: Tensor, into_CE: Tensor) -> None:
        if self._waiting + len(logits_CV) > self._room:
            self._multiply()
        some = slice(self._waiting, self._waiting + len(logits_CV))
        self._rows_WV[some], self._outputs_WE[some] = logits_CV, outputs_CE
        self._into.append(into_CE)
        self._waiting = some.stop

    def table(self) -> Tensor:
        self._multiply()
        return self._sum_VE

    def _multiply(self) -> None:
        end = self._waiting + -self._waiting % ROWS_ALIKE
        self._rows_WV[self._waiting : end] = 0
        self._outputs_WE[self._waiting : end] = 0
        products_WE = self._rows_WV[:end] @ self._table_VE
        counts = [len(into_CE) for into_CE in self._into]
        for into_CE, found_CE in zip(self._into, torch.split(products_WE[: self._waiting], counts), strict=True):
            into_CE.copy_(found_CE)
        self._sum_VE.add_(self._rows_WV[:end].t() @ self._outputs_WE[:end])
        self._into.clear()
        self._waiting = 0
