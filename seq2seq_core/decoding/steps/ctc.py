"""Frame scores of a CTC model in, the log probability of every prefix that a search considers out.

The probability of a prefix is that of all alignments whose text begins with it (Graves 2008, section 7.5; Watanabe et
al. 2017, algorithm 2), here for all rows and candidates at once (Seki et al. 2019). Both recursions over frames are
linear, r(t) = p(t) * (r(t-1) + f(t-1)), so each is solved in one go by logarithms of cumulative sums:
log r(t) = P(t) + logcumsumexp of log f(s-1) - P(s-1) over s <= t, P the cumulative sum of log p. Only the tokens that a
search has chosen need them; a candidate needs one sum over frames.

Shape legend: B sentences, W search width, N rows, S frames (encoder states), V target vocabulary, K candidates a row.
Index t of S + 1 values is what holds after t frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.decoding.steps.candidates import largest
from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.errors import ConfigError
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

_LEAST = -1e4  # of a log probability: cumulative sums have to stay finite
_SMALLEST = -80.0  # beside the largest term, in logarithms


@dataclass(frozen=True)
class CtcScoring(Processing):
    """score + weight * (log probability of the longer prefix - that of the shorter one).

    The `candidates` best tokens of each row by the scores so far, and EOS, are scored; no other can come.
    """

    weight: float
    candidates: int

    def start(self, model: Seq2Seq, memory: Memory, width: int) -> _CtcScored:
        """See `Processing.start`; a ConfigError where the model has no frame scores."""
        return _CtcScored(self, CtcPrefixes(frame_scores(model, memory), memory.mask_BS, width))


def frame_scores(model: Seq2Seq, memory: Memory) -> Tensor:
    """`Seq2Seq.frame_scores` (float32, B x S x V); a ConfigError where there are none."""
    scores_BSV = model.frame_scores(memory)
    if scores_BSV is None:
        raise ConfigError(
            "this model scores no frames, so CTC has no say in its search",
            found="search.ctc_weight above 0",
            expected="a model that was trained with a CTC loss",
            advice="Set search.ctc_weight to 0, or name another model.",
        )
    return scores_BSV.float()


class _CtcScored:
    def __init__(self, scoring: CtcScoring, prefixes: CtcPrefixes) -> None:
        self._scoring, self._prefixes = scoring, prefixes

    def __call__(self, scores_NV: Tensor, tokens_N: Tensor) -> Tensor:
        """See `StepProcessor`."""
        self._prefixes.append(tokens_N)
        best_NK, ids_NK = largest(scores_NV, min(self._scoring.candidates, scores_NV.shape[1]))
        change_NK, end_N = self._prefixes.changes(ids_NK)
        weight, end_score_N = self._scoring.weight, scores_NV[:, EOS_ID] + self._scoring.weight * end_N
        scores_NV = torch.full_like(scores_NV, -torch.inf).scatter_(1, ids_NK, best_NK + weight * change_NK)
        scores_NV[:, EOS_ID] = end_score_N
        return scores_NV

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`."""
        self._prefixes.reorder(parents_N)


class CtcPrefixes:
    """A prefix in each row, and the probability of all alignments that begin with it, by how they end."""

    def __init__(self, frames_BSV: Tensor, mask_BS: Tensor, width: int) -> None:
        """Begin with empty prefixes, `width` rows a sentence.

        Args:
            frames_BSV: Natural log probabilities (float32) of each frame, blank = PAD_ID.
            mask_BS: Which frames are real; the others change nothing.
            width: W.
        """
        self._begun = False
        self._frames_BSV = frames_BSV
        self._sentence_N = torch.arange(len(mask_BS), device=mask_BS.device).repeat_interleave(width)
        self._mask_NS = mask_BS.repeat_interleave(width, 0)
        blanks_NS = self._frames(torch.full_like(self._sentence_N, PAD_ID)).double()
        self._silence_NT = functional.pad(blanks_NS.masked_fill(~self._mask_NS, 0).cumsum(1), (1, 0))  # T = S + 1
        self._last_N = torch.full_like(self._sentence_N, BOS_ID)
        self._last_frames_NS = torch.full_like(blanks_NS, -torch.inf, dtype=torch.float32)
        # Log probability of prefix and frames so far, where they end in blank, and where they end in anything.
        self._blank_NT, self._all_NT = self._silence_NT, self._silence_NT
        self.scores_N = self._silence_NT[:, 0]
        """Log probability of each prefix (float64), whatever comes after it."""

    def append(self, tokens_N: Tensor) -> None:
        """Make each prefix longer by a token; BOS, the first one of a search, leaves it empty."""
        if not self._begun:
            self._begun = True
            return
        frames_NS = self._frames(tokens_N)
        before_NS = torch.where((tokens_N == self._last_N).unsqueeze(1), self._blank_NT, self._all_NT)[:, :-1]
        self.scores_N = _log_sum(before_NS + frames_NS)
        spoken_NT = functional.pad(frames_NS.double().masked_fill(~self._mask_NS, 0).cumsum(1), (1, 0))
        label_NT = self._accumulated(before_NS, spoken_NT)
        self._blank_NT = self._accumulated(label_NT[:, :-1], self._silence_NT)
        self._all_NT = torch.logaddexp(label_NT, self._blank_NT)
        self._last_N, self._last_frames_NS = tokens_N, frames_NS

    def changes(self, ids_NK: Tensor) -> tuple[Tensor, Tensor]:
        """What each next token (int64) adds to the log probability of its row's prefix, and what ending there does.

        Returns:
            float32, N x K and N; -inf for a text that is too long for its frames.
        """
        peak_N = self._all_NT.amax(1)
        peak_N = peak_N.masked_fill(peak_N == -torch.inf, 0)
        # Beside its peak single precision is enough, and twice as fast.
        all_NS = (self._all_NT[:, :-1] - peak_N.unsqueeze(1)).float()
        blank_NS = (self._blank_NT[:, :-1] - peak_N.unsqueeze(1)).float()
        found_NK = _log_sum(self._frames(ids_NK).add_(all_NS.unsqueeze(1)))
        again_N1 = _log_sum(blank_NS + self._last_frames_NS).unsqueeze(1)
        found_NK = torch.where(ids_NK == self._last_N.unsqueeze(1), again_N1, found_NK) + peak_N.unsqueeze(1)
        changes = found_NK - self.scores_N.unsqueeze(1), self._all_NT[:, -1] - self.scores_N
        totals = found_NK, self._all_NT[:, -1]
        # A prefix that cannot be is -inf, and so is what continues it.
        return _possible(changes[0], totals[0]), _possible(changes[1], totals[1])

    def reorder(self, parents_N: Tensor) -> None:
        """See `StepProcessor.reorder`; what is kept once a sentence does not move."""
        rows = (self._sentence_N, self._mask_NS, self._silence_NT, self._last_N, self._last_frames_NS)
        moved = [values.index_select(0, parents_N) for values in (*rows, self._blank_NT, self._all_NT, self.scores_N)]
        self._sentence_N, self._mask_NS, self._silence_NT, self._last_N, self._last_frames_NS = moved[:5]
        self._blank_NT, self._all_NT, self.scores_N = moved[5:]

    def _frames(self, ids: Tensor) -> Tensor:
        """Log probabilities of a token of each row (N), or of several (N x K), at every frame (... x S)."""
        one = ids.dim() == 1
        found = self._frames_BSV[self._sentence_N if one else self._sentence_N.unsqueeze(1), :, ids]
        is_real = self._mask_NS if one else self._mask_NS.unsqueeze(1)
        return found.clamp_(min=_LEAST).masked_fill_(~is_real, -torch.inf)

    def _accumulated(self, before_NS: Tensor, sums_NT: Tensor) -> Tensor:
        """r(t) = p(t) * (r(t-1) + before(t-1)) in logarithms (N x T), from r(0) = 0; `sums_NT` is that of log p."""
        terms_NS = (before_NS - sums_NT[:, :-1]).masked_fill(~self._mask_NS, -torch.inf)
        return functional.pad(sums_NT[:, 1:] + terms_NS.logcumsumexp(1), (1, 0), value=-torch.inf)


def _log_sum(terms: Tensor) -> Tensor:
    """`logsumexp` over the last axis, of terms that are used up; those that cannot count are not let down to numbers
    so small (subnormal) that arithmetic on them is 20 times slower.
    """
    peak = terms.amax(-1, keepdim=True)
    terms.sub_(peak.masked_fill(peak == -torch.inf, 0)).clamp_(min=_SMALLEST)
    return terms.exp_().sum(-1).log_().add_(peak.squeeze(-1))


def _possible(change: Tensor, total: Tensor) -> Tensor:
    return change.masked_fill(total == -torch.inf, -torch.inf).float()
