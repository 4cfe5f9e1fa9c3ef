"""What outputs are to hold in; scores that let them do nothing else, and tokens that lead there, out.

How far a row is in a phrase is told by one bit a token of the phrase, "the last tokens of the row are the first ones of
the phrase", all moved on at once (Baeza-Yates and Gonnet 1992, shift-and): so no beginning is missed, whatever came
before, and phrases may overlap.

Shape legend: B sentences, W search width, N = B * W rows, V target vocabulary, K candidates a row, P most phrases of a
sentence, L most tokens of one (or of a prefix).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

_NO_TOKEN = -1


@dataclass(frozen=True)
class Prefixes(Processing):
    """Each output begins with given tokens, which count 0."""

    prefixes_B: Sequence[Sequence[int]]

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _Forced:
        """See `Processing.start`."""
        del model
        rows = padded(self.prefixes_B).to(memory.mask_BS.device)
        return _Forced(rows.repeat_interleave(width, 0))


class _Forced:
    def __init__(self, prefixes_NL: Tensor) -> None:
        self._prefixes_NL, self._step = prefixes_NL, 0

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        del tokens_N
        if self._step == self._prefixes_NL.shape[1]:
            return scores_NV
        wanted_N1 = self._prefixes_NL[:, self._step : self._step + 1]
        self._step += 1
        is_forced_N1 = wanted_N1 != _NO_TOKEN
        scores_NV = scores_NV.masked_fill_(is_forced_N1, -torch.inf)
        wanted_N1 = wanted_N1.clamp(min=0)
        certain_N1 = torch.where(is_forced_N1, 0.0, scores_NV.gather(1, wanted_N1))
        return scores_NV.scatter_(1, wanted_N1, certain_N1)

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self._prefixes_NL = self._prefixes_NL.index_select(0, parents_N)


@dataclass(frozen=True)
class Phrases(Processing):
    """Each output has some phrases in it: none ends before."""

    phrases_B: Sequence[Sequence[Sequence[int]]]

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> PhraseProgress:
        """See `Processing.start`."""
        del model
        most = max(map(len, self.phrases_B))
        tokens = padded([phrase for some in self.phrases_B for phrase in [*some, *[()] * (most - len(some))]])
        tokens_BPL = tokens.view(len(self.phrases_B), most, -1).to(memory.mask_BS.device)
        return PhraseProgress(tokens_BPL.repeat_interleave(width, 0))


class PhraseProgress:
    """How far the rows of a search are with their phrases; see `StepProcessor`."""

    def __init__(self, phrases_NPL: Tensor) -> None:
        """Begin with empty rows; the phrases are padded with -1, and one of no tokens is there already."""
        self._phrases_NPL = phrases_NPL
        self._lengths_NP = (phrases_NPL != _NO_TOKEN).sum(2)
        self._is_begun_NPL = torch.zeros_like(phrases_NPL, dtype=torch.bool)
        self._is_there_NP = self._lengths_NP == 0

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        if not (tokens_N == BOS_ID).all():
            is_begun_NPL = self._after(tokens_N.unsqueeze(1))[:, 0]
            self._is_there_NP = self._is_there_NP | self._is_whole(is_begun_NPL)
            self._is_begun_NPL = is_begun_NPL
        scores_NV[:, EOS_ID].masked_fill_(~self._is_there_NP.all(1), -torch.inf)
        return scores_NV

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self._phrases_NPL = self._phrases_NPL.index_select(0, parents_N)
        self._lengths_NP = self._lengths_NP.index_select(0, parents_N)
        self._is_begun_NPL = self._is_begun_NPL.index_select(0, parents_N)
        self._is_there_NP = self._is_there_NP.index_select(0, parents_N)

    def wanted(self) -> Tensor:
        """The tokens that lead each row on (int64, N x (P + 1)): the next one of each phrase, and the end; -1: none."""
        held_NP = _longest(self._is_begun_NPL)
        held_NP = torch.minimum(held_NP, (self._lengths_NP - 1).clamp(min=0))
        next_NP = self._phrases_NPL.gather(2, held_NP.unsqueeze(2)).squeeze(2)
        next_NP = next_NP.masked_fill(self._is_there_NP, _NO_TOKEN)
        end_N1 = torch.where(self._is_there_NP.all(1, keepdim=True), EOS_ID, _NO_TOKEN)
        return torch.cat((next_NP, end_N1), 1)

    def held(self, ids_NK: Tensor) -> Tensor:
        """How many tokens of its phrases each row has, were a token behind it (int64, N x K)."""
        is_begun_NKPL = self._after(ids_NK)
        is_there_NKP = self._is_there_NP.unsqueeze(1) | self._is_whole(is_begun_NKPL)
        partly_NKP = _longest(is_begun_NKPL).masked_fill(is_there_NKP, 0)
        return (is_there_NKP * self._lengths_NP.unsqueeze(1)).sum(2) + partly_NKP.amax(2)

    def total(self) -> Tensor:
        """How many tokens the phrases of each row have (int64, N)."""
        return self._lengths_NP.sum(1)

    def _after(self, ids_NK: Tensor) -> Tensor:
        """Which beginnings of phrases each row ends with, were a token behind it (bool, N x K x P x L)."""
        before_NPL = torch.cat((torch.ones_like(self._is_begun_NPL[:, :, :1]), self._is_begun_NPL[:, :, :-1]), 2)
        return before_NPL.unsqueeze(1) & (self._phrases_NPL.unsqueeze(1) == ids_NK[:, :, None, None])

    def _is_whole(self, is_begun: Tensor) -> Tensor:
        """Whether the last tokens are the whole phrase (... x P of ... x P x L)."""
        last_NP1 = (self._lengths_NP - 1).clamp(min=0).unsqueeze(2)
        if is_begun.dim() > last_NP1.dim():
            last_NP1 = last_NP1.unsqueeze(1).expand(-1, is_begun.shape[1], -1, -1)
        return is_begun.gather(-1, last_NP1).squeeze(-1)


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of tokens side by side (int64), -1 behind them; at least one column."""
    longest = max([1, *map(len, rows)])
    return torch.tensor([[*row, *[_NO_TOKEN] * (longest - len(row))] for row in rows])


def _longest(is_begun: Tensor) -> Tensor:
    """The length of the longest beginning (int64, over the last axis)."""
    lengths_L = torch.arange(1, is_begun.shape[-1] + 1, device=is_begun.device)
    return (is_begun * lengths_L).amax(-1)
