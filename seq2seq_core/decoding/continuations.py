"""Scores of all candidates of a sentence's hypotheses in, its best continuations out; with phrases, a share for each
number of their tokens that hypotheses have.

Beams that may only end with given phrases have to keep hypotheses of all kinds: those with none of their tokens, which
are the most probable, and those with more. So places are dealt out (Post and Vilar 2018, dynamic beam allocation): the
best candidate with each number of tokens comes first, those with the most before the others, and then the second best
of each. All sentences are dealt with at once, by sorting (Hu et al. 2019).

Shape legend: A sentences, W beam width, N = A * W rows, K candidates a row, M = W * K candidates a sentence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq_core.decoding.steps.processor import Leading, Scoring


class Live(NamedTuple):
    """Scores (float32) and places (int64) of what lives on, both A x W, the best first."""

    values: Tensor
    indices: Tensor


class Best(NamedTuple):
    """The 2W best continuations of each sentence, in the order in which they come in.

    Attributes:
        scores_A2W: Log probabilities (float32).
        tokens_A2W: Their new tokens (int64).
        parents_A2W: The place 0..W-1 of the hypothesis that each continues (int64).
        missing_A2W: How many tokens of its phrases it still lacks (int64); None where there are no phrases.
    """

    scores_A2W: Tensor
    tokens_A2W: Tensor
    parents_A2W: Tensor
    missing_A2W: Tensor | None

    def live(self, is_end_A2W: Tensor, width: int) -> Live:
        """The W first that do not end."""
        scores_A2W = self.scores_A2W.masked_fill(is_end_A2W, -torch.inf)
        if self.missing_A2W is None:
            return Live(*scores_A2W.topk(width))
        first_AW = is_end_A2W.byte().argsort(dim=1, stable=True)[:, :width]
        scores_AW, order_AW = scores_A2W.gather(1, first_AW).sort(dim=1, descending=True, stable=True)
        return Live(scores_AW, first_AW.gather(1, order_AW))


def best_of(scoring: Scoring, logits_NV: Tensor, tokens_N: Tensor, so_far_AW: Tensor) -> Best:
    """The best continuations of every sentence; see `Scoring.best_sums` for what is given."""
    width, vocabulary = so_far_AW.shape[1], logits_NV.shape[1]
    if scoring.leading is not None:
        return _best_with_phrases(scoring, scoring.leading, logits_NV, tokens_N, so_far_AW)
    scores_A2W, places_A2W = scoring.best_sums(logits_NV, tokens_N, so_far_AW, 2 * width)
    parents_A2W = places_A2W.div(vocabulary, rounding_mode="floor")
    return Best(scores_A2W, places_A2W - parents_A2W * vocabulary, parents_A2W, None)


def _best_with_phrases(
    scoring: Scoring, leading: Leading, logits_NV: Tensor, tokens_N: Tensor, so_far_AW: Tensor
) -> Best:
    """Likewise, places dealt out; W + 1 candidates a row are enough: of one row at most W live on, beside one EOS."""
    width = so_far_AW.shape[1]
    scores_NK, ids_NK = scoring.candidates(logits_NV, tokens_N, leading, width + 1)
    candidates = scores_NK.shape[1]
    scores_AM = (scores_NK + so_far_AW.view(-1, 1)).view(-1, width * candidates)
    held_AM = leading.held(ids_NK).view_as(scores_AM)
    places_A2W = _dealt(scores_AM, held_AM)[:, : 2 * width]
    return Best(
        scores_A2W=scores_AM.gather(1, places_A2W),
        tokens_A2W=ids_NK.view_as(scores_AM).gather(1, places_A2W),
        parents_A2W=places_A2W.div(candidates, rounding_mode="floor"),
        missing_A2W=leading.total()[::width].unsqueeze(1) - held_AM.gather(1, places_A2W),
    )


def _dealt(scores_AM: Tensor, held_AM: Tensor) -> Tensor:
    """The places of all candidates (int64, A x M) in the order in which they come in."""
    by_score_AM = scores_AM.argsort(dim=1, descending=True, stable=True)
    by_held_AM = by_score_AM.gather(1, held_AM.gather(1, by_score_AM).argsort(dim=1, descending=True, stable=True))
    ordered_AM = held_AM.gather(1, by_held_AM)
    places_M = torch.arange(scores_AM.shape[1], device=scores_AM.device)
    is_first_AM = torch.ones_like(ordered_AM, dtype=torch.bool)
    is_first_AM[:, 1:] = ordered_AM[:, 1:] != ordered_AM[:, :-1]
    ranks_AM = places_M - (is_first_AM * places_M).cummax(1).values
    cannot_AM = scores_AM.gather(1, by_held_AM) == -torch.inf
    return by_held_AM.gather(1, ranks_AM.masked_fill_(cannot_AM, len(places_M)).argsort(dim=1, stable=True))
