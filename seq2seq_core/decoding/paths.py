"""What every step of a beam search chose in, whole hypotheses traced back from their ends out.

Shape legend: A sentences held by a turn, R sentences held by all turns laid end to end, W beam width,
N = A * W rows, M = R * W rows, S source positions, T turns, B sentences, H hypotheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.errors import ModelError
from seq2seq_core.tokenizer.vocabulary import EOS_ID

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Turn:
    """What one step chose for each sentence it held.

    Attributes:
        sentences_A: Which sentence of the batch (int64, ascending).
        scores_AW: Log probability of each hypothesis that lives on, best first; -inf where there is none.
        tokens_AW: Its new token (int64).
        parents_AW: The place 0..W-1 it had before this step (int64).
        ended_scores_AW: Log probability of each hypothesis that ended by EOS; -inf elsewhere.
        ended_parents_AW: The place it had before this step (int64).
        attention_NS: The step's attention, if asked for.
    """

    sentences_A: Tensor
    scores_AW: Tensor
    tokens_AW: Tensor
    parents_AW: Tensor
    ended_scores_AW: Tensor
    ended_parents_AW: Tensor
    attention_NS: Tensor | None


def collect(turns: Sequence[Turn], source_lengths: list[int], options: SearchConfig) -> list[list[Hypothesis]]:
    """The n best hypotheses of each sentence, ended ones before cut ones, best first.

    Args:
        turns: All turns of a search, in order.
        source_lengths: Length of each source sentence, EOS included.
        options: The search's options.

    Raises:
        ModelError: Scores are not numbers.
    """
    history = _History(turns, len(source_lengths))
    check_scores(history.scores_RW)
    ends = _best(history.ended(), history.cut(), options)
    tokens_HT, rows_HT, scores_HT = history.trace(ends)
    attention_MS = _attention(turns) if options.attention else None
    results: list[list[Hypothesis]] = [[] for _ in source_lengths]
    for h, sentence in enumerate(ends.sentence_H.tolist()):
        length, finished = int(ends.turn_H[h]) + 1, bool(ends.token_H[h] == EOS_ID)
        attention = None
        if attention_MS is not None:
            attention = attention_MS[rows_HT[h, :length], : source_lengths[sentence]]
        results[sentence].append(
            Hypothesis(
                tokens=tokens_HT[h, : length - finished].astype(np.int32),
                score=float(ends.log_probability_H[h]) / length**options.length_penalty,
                log_probability=float(ends.log_probability_H[h]),
                finished=finished,
                attention=attention,
                token_scores=scores_HT[h, : length - finished],
            )
        )
    return results


def check_scores(scores: npt.NDArray[np.floating]) -> None:
    """Raise a ModelError if scores are NaN: the model's logits held NaN or infinity."""
    if np.isnan(scores).any():
        raise ModelError(
            "the model's output is not a number",
            found="NaN or infinite logits",
            expected="finite logits",
            advice="Training diverged, the weights are damaged, or they need float32: try that or another checkpoint.",
        )


@dataclass(frozen=True)
class _Ends:
    """The last token of each hypothesis, the turn that chose it, and the place of the hypothesis before that turn."""

    sentence_H: Ints
    turn_H: Ints
    parent_H: Ints
    token_H: Ints
    log_probability_H: Floats


class _History:
    """All turns, moved to the CPU at once."""

    def __init__(self, turns: Sequence[Turn], sentences: int) -> None:
        self.sentence_R = _join([turn.sentences_A for turn in turns])
        self.turn_R = np.repeat(np.arange(len(turns)), [len(turn.sentences_A) for turn in turns])
        self.scores_RW = _join([turn.scores_AW for turn in turns]).astype(np.float64)
        self.tokens_RW = _join([turn.tokens_AW for turn in turns])
        self.parents_RW = _join([turn.parents_AW for turn in turns])
        self.ended_scores_RW = _join([turn.ended_scores_AW for turn in turns]).astype(np.float64)
        self.ended_parents_RW = _join([turn.ended_parents_AW for turn in turns])
        self.position_TB = np.zeros((len(turns), sentences), np.int64)  # where in R
        self.position_TB[self.turn_R, self.sentence_R] = np.arange(len(self.sentence_R))

    def ended(self) -> _Ends:
        """Every hypothesis that reached EOS, in the order of time."""
        at, place = np.nonzero(self.ended_scores_RW > -np.inf)
        token_H = np.full(len(at), EOS_ID)
        return self._ends(at, self.ended_parents_RW[at, place], token_H, self.ended_scores_RW[at, place])

    def cut(self) -> _Ends:
        """Every hypothesis that still lived when its sentence left."""
        last_B = self.position_TB.max(0)
        sentence, place = np.nonzero(self.scores_RW[last_B] > -np.inf)
        at = last_B[sentence]
        return self._ends(at, self.parents_RW[at, place], self.tokens_RW[at, place], self.scores_RW[at, place])

    def _ends(self, at: Ints, parent_H: Ints, token_H: Ints, log_probability_H: Floats) -> _Ends:
        return _Ends(self.sentence_R[at], self.turn_R[at], parent_H, token_H, log_probability_H)

    def trace(self, ends: _Ends) -> tuple[Ints, Ints, Floats]:
        """The tokens of each hypothesis (H x T), the row of M that each was chosen from, and what each adds to the
        score.
        """
        tokens_HT = np.zeros((len(ends.turn_H), len(self.position_TB)), np.int64)
        rows_HT, totals_HT = np.zeros_like(tokens_HT), np.zeros(tokens_HT.shape)
        width = self.scores_RW.shape[1]
        place_H = ends.parent_H.copy()
        for turn in range(len(self.position_TB) - 1, -1, -1):
            at_H = self.position_TB[turn, ends.sentence_H]
            inner = np.flatnonzero(ends.turn_H > turn)
            tokens_HT[inner, turn] = self.tokens_RW[at_H[inner], place_H[inner]]
            totals_HT[inner, turn] = self.scores_RW[at_H[inner], place_H[inner]]
            place_H[inner] = self.parents_RW[at_H[inner], place_H[inner]]
            rows_HT[:, turn] = at_H * width + place_H
        last = np.arange(len(tokens_HT)), ends.turn_H
        tokens_HT[last], totals_HT[last] = ends.token_H, ends.log_probability_H
        return tokens_HT, rows_HT, np.diff(totals_HT, axis=1, prepend=0.0)


def _best(ended: _Ends, cut: _Ends, options: SearchConfig) -> _Ends:
    """The first `n_best` of each sentence: ended before cut, then by score."""
    both = [np.concatenate(pair) for pair in zip(vars(ended).values(), vars(cut).values(), strict=True)]
    sentence, turn, log_probability = both[0], both[1], both[-1]
    is_cut = np.arange(len(sentence)) >= len(ended.sentence_H)
    order = np.lexsort((-log_probability / (turn + 1.0) ** options.length_penalty, is_cut, sentence))
    ordered = sentence[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    chosen = order[rank < options.n_best]
    return _Ends(*(values[chosen] for values in both))


def _attention(turns: Sequence[Turn]) -> npt.NDArray[np.float32]:
    found = torch.cat([turn.attention_NS for turn in turns if turn.attention_NS is not None])
    return found.float().cpu().numpy()


def _join(parts: list[Tensor]) -> npt.NDArray[Any]:
    return torch.cat(parts).cpu().numpy()
