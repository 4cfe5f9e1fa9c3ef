"""The attention of each step in, what outputs lose for what they leave unattended out.

Shape legend: A sentences, W search width, N = A * W rows, S source positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.models.interface import Memory


@dataclass
class Coverage:
    """penalty * sum over the source of log(min(attention so far, 1)) (Wu et al. 2016, section 7).

    A position that no step looked at counts nothing, as in CTranslate2: softmax gives none 0, but for what is masked.

    Attributes:
        penalty: See `SearchConfig.coverage_penalty`; 0: nothing is kept.
        changes_N: What the score of each row would lose, if it ended now (float32); None where nothing is kept.
    """

    penalty: float
    _sums_NS: Tensor
    changes_N: Tensor | None = None

    @classmethod
    def start(cls, memory: Memory, options: SearchConfig, width: int = 1) -> Coverage:
        """Before the first step."""
        return cls(options.coverage_penalty, torch.zeros_like(memory.mask_BS.float()).repeat_interleave(width, 0))

    def add(self, attention_NS: Tensor) -> None:
        """A step's attention, of all its rows."""
        if not self.penalty:
            return
        self._sums_NS = self._sums_NS + attention_NS.float()
        logs_NS = self._sums_NS.clamp(max=1).log()
        self.changes_N = self.penalty * logs_NS.masked_fill(self._sums_NS == 0, 0).sum(1)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        if self.penalty:
            self._sums_NS = self._sums_NS.index_select(0, parents_N)
