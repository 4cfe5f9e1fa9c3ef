"""A table and rows of outputs in; their logits, and what gradients of logits are of both, a few rows at a time, out.

Shape legend: C rows at once, E output width, V target vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.models.layers.projections import ROWS_ALIKE, alike


class TableProducts:
    """What is as wide as the vocabulary is multiplied here, and is float32 before and after.

    Args:
        table_VE: Float32.
        bias_V: Added to the logits.
        is_bfloat16: Multiply in bfloat16; what is summed over all rows is float32 nevertheless.
    """

    def __init__(self, table_VE: Tensor, bias_V: Tensor, *, is_bfloat16: bool) -> None:
        self._table_VE, self._bias_V, self._is_bfloat16 = table_VE, bias_V, is_bfloat16
        self._table_16_VE = table_VE.to(torch.bfloat16) if is_bfloat16 else None

    def rows(self, logits_at_once: int, count: int) -> int:
        """How many of so many rows are multiplied at once."""
        rows = max(1, logits_at_once // len(self._table_VE))
        if self._is_bfloat16:
            rows = max(1, rows // ROWS_ALIKE) * ROWS_ALIKE
        return min(rows, count)

    def logits(self, outputs_CE: Tensor, into_CV: Tensor) -> Tensor:
        """The logits of outputs (C x E), which are written where they are told to be."""
        if self._table_16_VE is None:
            return torch.addmm(self._bias_V, outputs_CE, self._table_VE.t(), out=into_CV)
        products_CV = (alike(outputs_CE) @ self._table_16_VE.t())[: len(outputs_CE)]
        return torch.add(products_CV, self._bias_V, out=into_CV)

    def gradients(self, logits_CV: Tensor, outputs_CE: Tensor, into_CE: Tensor, onto_VE: Tensor) -> None:
        """Gradients of logits in: those of the outputs are written, and those of the table are added."""
        if self._table_16_VE is None:
            torch.mm(logits_CV, self._table_VE, out=into_CE)
            onto_VE.addmm_(logits_CV.t(), outputs_CE)
            return
        rows_CV = alike(logits_CV)
        into_CE.copy_((rows_CV @ self._table_16_VE)[: len(into_CE)])
        onto_VE.add_(rows_CV.t() @ alike(outputs_CE))
