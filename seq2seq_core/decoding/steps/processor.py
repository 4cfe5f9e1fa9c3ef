"""The seam by which anything changes the scores of a search from step to step: scores in, scores out.

Greedy and beam search know scores and `reorder` alone. A processor is set up once (`Processing`) and started for each
batch; from there its rows are those of the decoder's state, and go the same ways.

Shape legend: B sentences, W search width, N = B * W rows, V target vocabulary, K candidates a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.candidates import best_next, largest, log_probabilities
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import EOS_ID


class StepProcessor(Protocol):
    """One change of scores, at work on the rows of one batch."""

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """The scores of all next tokens, changed.

        Args:
            scores_NV: Log probabilities (float32) as the processors before left them, -inf where a token cannot come;
                they may be changed in place.
            tokens_N: The last token of each row (int64, BOS at first), which the decoder was given too.

        Returns:
            N x V, float32. No score of a token may be above 0, or a beam search stops too early; -inf forbids. A row
            looks at itself alone, never at other sentences.
        """
        ...

    def reorder(self, parents_N: Tensor) -> None:
        """Let row n continue row `parents_N[n]`; see `State.reorder`. Fewer rows may come out than went in."""
        ...


class Processing(ABC):
    """A processor that is set up, and works on any batch.

    Attributes:
        longest: Most tokens of an output, EOS included, that it can follow; None: no limit.
    """

    @property
    def longest(self) -> int | None:
        return None

    @abstractmethod
    def start(self, model: Seq2Seq, memory: Memory, width: int) -> StepProcessor:
        """Begin a batch: `model` has encoded its sources as `memory`, each has `width` rows.

        Raises:
            ConfigError: The model lacks what the processor needs.
        """


class Scoring:
    """What a search asks for the scores of next tokens: the model's, as processors change them one after the other."""

    def __init__(self, processors: Sequence[StepProcessor]) -> None:
        self._processors = processors

    @classmethod
    def start(cls, processing: Sequence[Processing], model: Seq2Seq, memory: Memory, width: int) -> Scoring:
        """Begin a batch; see `Processing.start`."""
        return cls([each.start(model, memory, width) for each in processing])

    def best_next(self, logits_NV: Tensor, tokens_N: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The best `count` tokens of each row at least, as `candidates.best_next` has them.

        Where processors leave a row no token at all, it ends: EOS stays, as probable as the model has it.
        """
        if not self._processors:
            return best_next(logits_NV, count)
        scores_NV = log_probabilities(logits_NV)
        end_N = scores_NV[:, EOS_ID].clone()
        for process in self._processors:
            scores_NV = process(scores_NV, tokens_N)
        is_stuck_N = scores_NV.amax(1) == -torch.inf
        scores_NV[:, EOS_ID] = torch.where(is_stuck_N, end_N, scores_NV[:, EOS_ID])
        return largest(scores_NV, min(count, scores_NV.shape[1]))

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        for process in self._processors:
            process.reorder(parents_N)
