"""Logits in, logits out in which tokens that came before are less likely.

Shape legend: N rows, V target vocabulary, L tokens so far.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.models.interface import Memory, Seq2Seq


@dataclass(frozen=True)
class RepetitionPenalty(Processing):
    """Logits above 0 divided by `penalty`, others multiplied by it (Keskar et al. 2019, section 4.1).

    Logits are meant, as the signs of log probabilities say nothing.
    """

    penalty: float
    of_logits = True

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _Penalized:
        """See `Processing.start`."""
        del model, memory, width
        return _Penalized(self.penalty)


class _Penalized:
    def __init__(self, penalty: float) -> None:
        self._penalty = penalty
        self._tokens_NL: Tensor | None = None  # before BOS

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`; what comes in and goes out are logits."""
        if self._tokens_NL is None:
            self._tokens_NL = tokens_N.new_empty(len(tokens_N), 0)
            return scores_NV
        self._tokens_NL = torch.cat((self._tokens_NL, tokens_N.unsqueeze(1)), 1)
        before_NL = scores_NV.gather(1, self._tokens_NL)
        after_NL = torch.where(before_NL > 0, before_NL / self._penalty, before_NL * self._penalty)
        return scores_NV.scatter_(1, self._tokens_NL, after_NL)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        if self._tokens_NL is not None:
            self._tokens_NL = self._tokens_NL.index_select(0, parents_N)
