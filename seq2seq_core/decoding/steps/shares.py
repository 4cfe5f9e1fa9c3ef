"""Scores in, the same scores weighted or rewarded out: what looks neither at tokens nor at the past.

Shape legend: N rows, V target vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.models.interface import Memory, Seq2Seq


class _Stateless(Processing):
    """Its own processor: there is nothing to start or to reorder."""

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _Stateless:
        """See `Processing.start`."""
        del model, memory, width
        return self

    @abstractmethod
    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""


@dataclass(frozen=True)
class Share(_Stateless):
    """What the scores so far count for, beside those that are added to them."""

    weight: float

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        del tokens_N
        return scores_NV.mul_(self.weight)


@dataclass(frozen=True)
class LengthReward(_Stateless):
    """The same for each token, EOS included; a search has to know of it, as scores can then rise."""

    reward: float

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        del tokens_N
        return scores_NV.add_(self.reward)
