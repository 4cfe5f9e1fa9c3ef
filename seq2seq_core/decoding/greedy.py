"""A padded batch in, the hypothesis of the most probable token at every step out.

Shape legend: B sentences, A sentences still in the batch, S source positions, P tokens of all hypotheses together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.paths import check_scores
from seq2seq_core.decoding.steps.processor import Scoring
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID


def greedy_search(
    model: Seq2Seq, memory: Memory, scoring: Scoring, limits: list[int], options: SearchConfig
) -> list[list[Hypothesis]]:
    """Decode with width 1; see `search`. `limits` holds the most tokens (EOS included) of each sentence."""
    state = model.start(memory)
    sentences_A = torch.arange(len(limits), device=memory.mask_BS.device)
    limits_A = torch.tensor(limits, device=memory.mask_BS.device)
    tokens_A = torch.full_like(sentences_A, BOS_ID)
    trace = _Trace(attention=options.attention)
    for length in range(1, max(limits) + 1):
        step = model.step(tokens_A, state)
        scores_AK, ids_AK = scoring.best_next(step.logits_NV, tokens_A, 1)
        best = scores_AK.max(1, keepdim=True)
        tokens_A = ids_AK.gather(1, best.indices).squeeze(1)
        scores_A = best.values.squeeze(1)
        trace.add(sentences_A, tokens_A, scores_A, step.attention_NS)
        # A NaN score compares false, so a broken sentence leaves too, and the trace raises at the end.
        going_A = (tokens_A != EOS_ID) & (limits_A > length) & (scores_A > -torch.inf)
        kept = going_A.nonzero().squeeze(1)
        if not len(kept):
            break
        state = step.state
        if len(kept) < len(going_A):
            sentences_A, limits_A, tokens_A = sentences_A[kept], limits_A[kept], tokens_A[kept]
            state = state.reorder(kept)
            scoring.reorder(kept)
    return trace.hypotheses(memory.mask_BS.sum(1).tolist(), options.length_penalty)


class _Trace:
    """What every step chose for the sentences it still held."""

    def __init__(self, *, attention: bool) -> None:
        self._sentences: list[Tensor] = []
        self._tokens: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._attention: list[Tensor] | None = [] if attention else None

    def add(self, sentences_A: Tensor, tokens_A: Tensor, scores_A: Tensor, attention_AS: Tensor) -> None:
        self._sentences.append(sentences_A)
        self._tokens.append(tokens_A)
        self._scores.append(scores_A)
        if self._attention is not None:
            self._attention.append(attention_AS)

    def hypotheses(self, source_lengths: list[int], length_penalty: float) -> list[list[Hypothesis]]:
        """Sort all tokens by sentence (they already stand in the order of time) and cut."""
        sentences_P = torch.cat(self._sentences)
        order_P = sentences_P.argsort(stable=True)
        tokens_P = torch.cat(self._tokens)[order_P].cpu().numpy().astype(np.int32)
        scores_P = torch.cat(self._scores)[order_P].cpu().numpy().astype(np.float64)
        check_scores(scores_P)
        lengths_B = np.bincount(sentences_P.cpu().numpy(), minlength=len(source_lengths))
        ends_B = np.cumsum(lengths_B)
        totals_B = np.add.reduceat(scores_P, ends_B - lengths_B)
        attention_PS = None if self._attention is None else torch.cat(self._attention)[order_P].float().cpu().numpy()
        results = []
        for sentence, (end, length) in enumerate(zip(ends_B.tolist(), lengths_B.tolist(), strict=True)):
            finished = bool(tokens_P[end - 1] == EOS_ID)
            rows = slice(end - length, end)
            hypothesis = Hypothesis(
                tokens=tokens_P[end - length : end - finished].copy(),
                score=float(totals_B[sentence]) / length**length_penalty,
                log_probability=float(totals_B[sentence]),
                finished=finished,
                attention=None if attention_PS is None else attention_PS[rows, : source_lengths[sentence]].copy(),
                token_scores=scores_P[end - length : end - finished].copy(),
            )
            results.append([hypothesis])
        return results
