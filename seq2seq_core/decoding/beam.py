"""A padded batch in, the n best hypotheses of a batched beam search out.

Shape legend: B sentences, A sentences still in the batch, W beam width, N = A * W rows, S source positions,
K candidates a row, n hypotheses returned a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_core.decoding.continuations import Best, best_of
from seq2seq_core.decoding.coverage import Coverage
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.paths import Turn, collect
from seq2seq_core.decoding.steps.processor import Scoring
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.models.layers.rows import closed_up
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID


def beam_search(
    model: Seq2Seq, memory: Memory, scoring: Scoring, limits: list[int], options: SearchConfig
) -> list[list[Hypothesis]]:
    """Decode with `options.beam` hypotheses a sentence; see `search`.

    Of the 2W best continuations of a sentence the W best that are not EOS live on, and an EOS among the W best
    ends its hypothesis. A sentence leaves when none of its live hypotheses can come among its n best within
    `options.lookahead` more tokens (`_Front.going`), or at its limit (`limits`: tokens, EOS included); places that
    no ended hypothesis fills then go to live ones, which are marked as unfinished.
    """
    state = model.start(memory, options.beam)
    front = _Front.start(torch.tensor(limits, device=memory.mask_BS.device), options)
    coverage = Coverage.start(memory, options, options.beam)
    turns: list[Turn] = []
    for length in range(1, max(limits) + 1):
        tokens_N = front.tokens_AW.flatten()
        step = model.step(tokens_N, state)
        coverage.add(step.attention_NS)
        best = best_of(scoring, step.logits_NV, tokens_N, front.scores_AW)
        turn = _turn(front, best, coverage, step.attention_NS if options.keeps_attention else None)
        turns.append(turn)
        front.end(turn, length**options.length_penalty)
        kept = closed_up(front.going(turn, length, options))
        if not len(kept):
            break
        parents_N = front.move(turn, kept)
        state = step.state.reorder(parents_N)
        for each in (scoring, coverage):
            each.reorder(parents_N)
    return collect(turns, memory.mask_BS.sum(1).tolist(), options)


@dataclass
class _Front:
    """The live hypotheses of the sentences still in the batch.

    Attributes:
        sentences_A: Which sentence of the batch each is (int64).
        limits_A: Most tokens of a hypothesis, EOS included (int64).
        scores_AW: Log probability of each live hypothesis, best first; -inf where there is none (float32).
        tokens_AW: Its last token (int64).
        ended_An: Scores of the n best ended hypotheses, best first; -inf where there is none (float32).
    """

    sentences_A: Tensor
    limits_A: Tensor
    scores_AW: Tensor
    tokens_AW: Tensor
    ended_An: Tensor

    @classmethod
    def start(cls, limits_B: Tensor, options: SearchConfig) -> _Front:
        """One live hypothesis a sentence, holding BOS."""
        scores_BW = torch.full((len(limits_B), options.beam), -torch.inf, device=limits_B.device)
        scores_BW[:, 0] = 0
        return cls(
            sentences_A=torch.arange(len(limits_B), device=limits_B.device),
            limits_A=limits_B,
            scores_AW=scores_BW,
            tokens_AW=torch.full_like(scores_BW, BOS_ID, dtype=torch.int64),
            ended_An=torch.full_like(scores_BW[:, : options.n_best], -torch.inf),
        )

    def end(self, turn: Turn, divisor: float) -> None:
        """Enter the hypotheses that ended in a turn among the n best."""
        scores_AW = turn.ended_scores_AW / divisor
        if turn.ended_changes_AW is not None:
            scores_AW = scores_AW + turn.ended_changes_AW
        scores_A = torch.cat((self.ended_An, scores_AW), 1)
        self.ended_An = scores_A.topk(self.ended_An.shape[1]).values

    def going(self, turn: Turn, length: int, options: SearchConfig) -> Tensor:
        """Which sentences may still improve (bool, A).

        A log probability only falls, and its divisor grows with the length: the log probability of now, divided as at
        the last length that is looked at, bounds what a live hypothesis can reach till then. With a reward the sum may
        rise as long as there are tokens, and where it is above 0, the next divisor bounds it. The bound compares false
        where scores are NaN or no hypothesis lives.
        """
        ahead_A = self.limits_A if options.lookahead is None else self.limits_A.clamp(max=length + options.lookahead)
        best_A, divisors_A = turn.scores_AW[:, 0], ahead_A.float() ** options.length_penalty
        if options.length_reward:
            best_A = best_A + options.length_reward * (ahead_A - length)
            divisors_A = torch.where(best_A > 0, (length + 1.0) ** options.length_penalty, divisors_A)
        bounds_A = best_A / divisors_A
        return (bounds_A > self.ended_An[:, -1]) & (self.limits_A > length)

    def move(self, turn: Turn, kept: Tensor) -> Tensor:
        """Step to the live hypotheses of a turn, in the kept sentences alone; returns the parent row of each (N)."""
        width = self.scores_AW.shape[1]
        self.scores_AW, self.tokens_AW, parents_AW = turn.scores_AW, turn.tokens_AW, turn.parents_AW
        if len(kept) < len(self.sentences_A):
            self.sentences_A, self.limits_A = self.sentences_A[kept], self.limits_A[kept]
            self.ended_An = self.ended_An[kept]
            self.scores_AW, self.tokens_AW, parents_AW = self.scores_AW[kept], self.tokens_AW[kept], parents_AW[kept]
        return (kept.unsqueeze(1) * width + parents_AW).flatten()


def _turn(front: _Front, best: Best, coverage: Coverage, attention_NS: Tensor | None) -> Turn:
    """What a step makes of the best continuations."""
    width = front.scores_AW.shape[1]
    is_end_A2W = best.tokens_A2W == EOS_ID
    live = best.live(is_end_A2W, width)
    parents_AW, ended_parents_AW = best.parents_A2W.gather(1, live.indices), best.parents_A2W[:, :width]
    changes_AW = None if coverage.changes_N is None else coverage.changes_N.view(-1, width)
    missing_A2W = best.missing_A2W
    return Turn(
        sentences_A=front.sentences_A,
        scores_AW=live.values,
        tokens_AW=best.tokens_A2W.gather(1, live.indices),
        parents_AW=parents_AW,
        ended_scores_AW=best.scores_A2W[:, :width].masked_fill(~is_end_A2W[:, :width], -torch.inf),
        ended_parents_AW=ended_parents_AW,
        attention_NS=attention_NS,
        changes_AW=None if changes_AW is None else changes_AW.gather(1, parents_AW),
        ended_changes_AW=None if changes_AW is None else changes_AW.gather(1, ended_parents_AW),
        missing_AW=None if missing_A2W is None else missing_A2W.gather(1, live.indices),
    )
