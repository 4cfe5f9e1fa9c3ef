"""The seam by which anything changes the scores of a search from step to step: scores in, scores out.

Greedy and beam search know scores and `reorder` alone. A processor is set up once (`Processing`) and started for each
batch; from there its rows are those of the decoder's state, and go the same ways.

Shape legend: B sentences, W search width, N = B * W rows, V target vocabulary, K candidates a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.candidates import best_sums, largest, log_probabilities, normalizers
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
        of_logits: Whether it changes the model's logits, before they become log probabilities.
    """

    of_logits: ClassVar[bool] = False

    @property
    def longest(self) -> int | None:
        return None

    @abstractmethod
    def start(self, model: Seq2Seq, memory: Memory, width: int) -> StepProcessor:
        """Begin a batch: `model` has encoded its sources as `memory`, each has `width` rows.

        Raises:
            ConfigError: The model lacks what the processor needs.
        """


class Leading(StepProcessor, Protocol):
    """A processor that wants tokens which a search would not look at, as they lead to what an output must have."""

    def wanted(self) -> Tensor:
        """More candidates of each row (int64, N x any number; -1: none)."""
        ...

    def held(self, ids_NK: Tensor) -> Tensor:
        """How much of what it must have each row has with one more token (int64, N x K)."""
        ...

    def total(self) -> Tensor:
        """How much of it there is (int64, N)."""
        ...


class Scoring:
    """What a search asks for the scores of next tokens: the model's, as processors change them one after the other."""

    def __init__(
        self,
        processors: Sequence[StepProcessor],
        of_logits: Sequence[StepProcessor] = (),
        leading: Leading | None = None,
    ) -> None:
        """Put them together; `leading` stands among `processors`."""
        self._processors, self._of_logits, self.leading = processors, of_logits, leading

    @classmethod
    def start(
        cls,
        processing: Sequence[Processing],
        model: Seq2Seq,
        memory: Memory,
        width: int,
        leading: Callable[[Seq2Seq, Memory, int], Leading] | None = None,
    ) -> Scoring:
        """Begin a batch; see `Processing.start`. What leads comes last."""
        of_logits = [each.start(model, memory, width) for each in processing if each.of_logits]
        others = [each.start(model, memory, width) for each in processing if not each.of_logits]
        leader = None if leading is None else leading(model, memory, width)
        return cls(others if leader is None else [*others, leader], of_logits, leader)

    def best_sums(self, logits_NV: Tensor, tokens_N: Tensor, so_far_AW: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The best `count` continuations of each sentence whose hypotheses have these scores so far (float32).

        Where processors leave a row no token at all, it ends: EOS stays, as probable as the model has it.

        Args:
            logits_NV: float; used up.
            tokens_N: See `StepProcessor`.
            so_far_AW: -inf where there is no hypothesis.
            count: K; fewer where there are no more.

        Returns:
            Scores and places, A x K; see `candidates.best_sums`.
        """
        added_N, width = so_far_AW.flatten(), so_far_AW.shape[1]
        if not self.is_bare:
            values_NV = self.all_next(logits_NV, tokens_N)
        else:
            values_NV = logits_NV.float()
            added_N = added_N + normalizers(values_NV)
        return best_sums(values_NV, added_N, width, min(count, width * values_NV.shape[1]))

    @property
    def is_bare(self) -> bool:
        """Whether scores are the model's own."""
        return not (self._processors or self._of_logits)

    def candidates(self, logits_NV: Tensor, tokens_N: Tensor, leading: Leading, count: int) -> tuple[Tensor, Tensor]:
        """Scores and ids (N x any number) of the best `count` tokens of each row, and of those that lead somewhere."""
        scores_NV = self.all_next(logits_NV, tokens_N)
        return _with(leading.wanted(), scores_NV, *largest(scores_NV, min(count, scores_NV.shape[1])))

    def all_next(self, logits_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """The scores of all tokens (float32, N x V); see `best_sums`."""
        logits_NV = logits_NV.float()
        for process in self._of_logits:
            logits_NV = process(logits_NV, tokens_N)
        scores_NV = log_probabilities(logits_NV)
        end_N = scores_NV[:, EOS_ID].clone()
        for process in self._processors:
            scores_NV = process(scores_NV, tokens_N)
        is_stuck_N = scores_NV.amax(1) == -torch.inf
        scores_NV[:, EOS_ID] = torch.where(is_stuck_N, end_N, scores_NV[:, EOS_ID])
        return scores_NV

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        for process in (*self._of_logits, *self._processors):
            process.reorder(parents_N)


def _with(wanted_NP: Tensor, scores_NV: Tensor, scores_NK: Tensor, ids_NK: Tensor) -> tuple[Tensor, Tensor]:
    """The candidates and those that are wanted besides, each once; -inf where there is none."""
    earlier_NP = wanted_NP.unsqueeze(2) == torch.cat((ids_NK, wanted_NP), 1).unsqueeze(1)
    before_PM = torch.ones_like(earlier_NP[0]).tril(ids_NK.shape[1] - 1)
    is_new_NP = (wanted_NP >= 0) & ~(earlier_NP & before_PM).any(2)
    wanted_NP = wanted_NP.clamp(min=0)
    more_NP = scores_NV.gather(1, wanted_NP).masked_fill(~is_new_NP, -torch.inf)
    return torch.cat((scores_NK, more_NP), 1), torch.cat((ids_NK, wanted_NP), 1)
