"""What every step of a beam search chose in, whole hypotheses traced back from their ends out.

Shape legend: A sentences held by a turn, R sentences held by all turns laid end to end, W beam width,
N = A * W rows, M = R * W rows, S source positions, T turns, B sentences, H hypotheses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        sentences_A: Which sentence of the batch (int64).
        scores_AW: Log probability of each hypothesis that lives on, best first; -inf where there is none.
        tokens_AW: Its new token (int64).
        parents_AW: The place 0..W-1 it had before this step (int64).
        ended_scores_AW: Log probability of each hypothesis that ended by EOS; -inf elsewhere.
        ended_parents_AW: The place it had before this step (int64).
        attention_NS: The step's attention, if asked for.
        changes_AW: What a penalty of coverage adds to the final score of each that lives on; None: nothing.
        ended_changes_AW: Likewise of each that ended.
        missing_AW: How many tokens of its phrases each that lives on still lacks (int64); None: none.
    """

    sentences_A: Tensor
    scores_AW: Tensor
    tokens_AW: Tensor
    parents_AW: Tensor
    ended_scores_AW: Tensor
    ended_parents_AW: Tensor
    attention_NS: Tensor | None
    changes_AW: Tensor | None = None
    ended_changes_AW: Tensor | None = None
    missing_AW: Tensor | None = None


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
    power = options.length_penalty
    ends = _best(history.ended(power), history.cut(power), options.n_best)
    tokens_HT, rows_HT, scores_HT = history.trace(ends)
    attention_MS = _attention(turns) if options.keeps_attention else None
    results: list[list[Hypothesis]] = [[] for _ in source_lengths]
    for h, sentence in enumerate(ends.sentence_H.tolist()):
        length, finished = int(ends.turn_H[h]) + 1, bool(ends.token_H[h] == EOS_ID)
        attention = None
        if attention_MS is not None:
            attention = attention_MS[rows_HT[h, :length], : source_lengths[sentence]]
        results[sentence].append(
            Hypothesis(
                tokens=tokens_HT[h, : length - finished].astype(np.int32),
                score=float(ends.score_H[h]),
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
    """The last token of each hypothesis, the turn that chose it, and the place of the hypothesis before that turn.

    `class_H` comes before the score in their order: ended ones, cut ones, cut ones that lack so many tokens.
    """

    sentence_H: Ints
    turn_H: Ints
    parent_H: Ints
    token_H: Ints
    log_probability_H: Floats
    score_H: Floats
    class_H: Ints


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
        self.changes_RW = _changes([turn.changes_AW for turn in turns], self.scores_RW)
        self.ended_changes_RW = _changes([turn.ended_changes_AW for turn in turns], self.scores_RW)
        self.missing_RW = _changes([turn.missing_AW for turn in turns], self.scores_RW).astype(np.int64)
        self.position_TB = np.zeros((len(turns), sentences), np.int64)  # where in R
        self.position_TB[self.turn_R, self.sentence_R] = np.arange(len(self.sentence_R))

    def ended(self, power: float) -> _Ends:
        """Every hypothesis that reached EOS, in the order of time."""
        where = np.nonzero(self.ended_scores_RW > -np.inf)
        token_H = np.full(len(where[0]), EOS_ID)
        totals_H, changes_H = self.ended_scores_RW[where], self.ended_changes_RW[where]
        return self._ends(where[0], self.ended_parents_RW[where], token_H, totals_H, changes_H, power)

    def cut(self, power: float) -> _Ends:
        """Every hypothesis that still lived when its sentence left."""
        last_B = self.position_TB.max(0)
        sentence, place = np.nonzero(self.scores_RW[last_B] > -np.inf)
        where = last_B[sentence], place
        totals_H, changes_H = self.scores_RW[where], self.changes_RW[where]
        ends = self._ends(where[0], self.parents_RW[where], self.tokens_RW[where], totals_H, changes_H, power)
        return replace(ends, class_H=1 + self.missing_RW[where])

    def _ends(
        self, at: Ints, parent_H: Ints, token_H: Ints, totals_H: Floats, changes_H: Floats, power: float
    ) -> _Ends:
        turn_H = self.turn_R[at]
        scores_H = totals_H / (turn_H + 1.0) ** power + changes_H
        return _Ends(self.sentence_R[at], turn_H, parent_H, token_H, totals_H, scores_H, np.zeros_like(turn_H))

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


def _best(ended: _Ends, cut: _Ends, count: int) -> _Ends:
    """The first `count` of each sentence: ended before cut, then by score."""
    both = _Ends(*(np.concatenate(pair) for pair in zip(vars(ended).values(), vars(cut).values(), strict=True)))
    order = np.lexsort((-both.score_H, both.class_H, both.sentence_H))
    ordered = both.sentence_H[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    chosen = order[rank < count]
    return _Ends(*(values[chosen] for values in vars(both).values()))


def _changes(parts: list[Tensor | None], like: Floats) -> Floats:
    """What the turns hold of a kind that not every search has; zeros where they hold nothing."""
    there = [part for part in parts if part is not None]
    return _join(there).astype(np.float64) if there else np.zeros_like(like)


def _attention(turns: Sequence[Turn]) -> npt.NDArray[np.float32]:
    found = torch.cat([turn.attention_NS for turn in turns if turn.attention_NS is not None])
    return found.float().cpu().numpy()


def _join(parts: list[Tensor]) -> npt.NDArray[Any]:
    return torch.cat(parts).cpu().numpy()
