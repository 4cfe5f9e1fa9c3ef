"""Scores in, scores out with -inf for what an output may not do: end too early, or say the same again and again.

Shape legend: B sentences, W search width, N = B * W rows, V target vocabulary, L tokens so far, n tokens in a row,
P places at which so many tokens stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import EOS_ID


@dataclass(frozen=True)
class MinimumLength(Processing):
    """No end before `ratio` tokens for each encoder position but the last (of text that is EOS)."""

    ratio: float

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _NotYet:
        """See `Processing.start`."""
        fewest_B = (self.ratio * (memory.mask_BS.sum(1) - 1).double()).long()
        if model.max_length is not None:
            fewest_B = fewest_B.clamp(max=model.max_length - 1)
        return _NotYet(fewest_B.repeat_interleave(width))


class _NotYet:
    def __init__(self, fewest_N: Tensor) -> None:
        self._fewest_N = fewest_N
        self._length = 0

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        del tokens_N
        scores_NV[:, EOS_ID].masked_fill_(self._fewest_N > self._length, -torch.inf)
        self._length += 1
        return scores_NV

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self._fewest_N = self._fewest_N.index_select(0, parents_N)


@dataclass(frozen=True)
class NoRepeats(Processing):
    """The same `tokens` tokens in a row come again at most `times` times in an output (Paulus et al. 2018, with 0)."""

    tokens: int
    times: int

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _Repeats:
        """See `Processing.start`."""
        del model, memory, width
        return _Repeats(self)


class _Repeats:
    def __init__(self, rule: NoRepeats) -> None:
        self._rule = rule
        self._tokens_NL: Tensor | None = None  # before BOS

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`; a token is counted where it follows the n - 1 tokens that stand last."""
        if self._tokens_NL is None:
            self._tokens_NL = tokens_N.new_empty(len(tokens_N), 0)
            return scores_NV
        self._tokens_NL = torch.cat((self._tokens_NL, tokens_N.unsqueeze(1)), 1)
        n, length = self._rule.tokens, self._tokens_NL.shape[1]
        if length < n:
            return scores_NV
        windows_NPn = self._tokens_NL.unfold(1, n, 1)
        newest_N1n = self._tokens_NL[:, length - n + 1 :].unsqueeze(1)
        follows_NP = (windows_NPn[:, :, :-1] == newest_N1n).all(2)
        counts_NV = torch.zeros_like(scores_NV, dtype=torch.int32)
        counts_NV.scatter_add_(1, windows_NPn[:, :, -1], follows_NP.int())
        return scores_NV.masked_fill_(counts_NV > self._rule.times, -torch.inf)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        if self._tokens_NL is not None:
            self._tokens_NL = self._tokens_NL.index_select(0, parents_N)
