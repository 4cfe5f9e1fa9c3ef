"""A padded batch in, the hypothesis of the most probable token at every step out, or of one that is drawn.

Shape legend: B sentences, A sentences still in the batch, S source positions, P tokens of all hypotheses together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seq2seq_core.decoding.coverage import Coverage
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.paths import check_scores
from seq2seq_core.decoding.sampling import Draw
from seq2seq_core.decoding.steps.candidates import likeliest, normalizers
from seq2seq_core.decoding.steps.processor import Scoring
from seq2seq_core.models.interface import Memory, Seq2Seq
from seq2seq_core.models.layers.rows import closed_up
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID


def greedy_search(
    model: Seq2Seq,
    memory: Memory,
    scoring: Scoring,
    limits: list[int],
    options: SearchConfig,
    draw: Draw | None = None,
) -> list[list[Hypothesis]]:
    """Decode with width 1; see `search`. `limits` holds the most tokens (EOS included) of each sentence."""
    state = model.start(memory)
    sentences_A = torch.arange(len(limits), device=memory.mask_BS.device)
    limits_A = torch.tensor(limits, device=memory.mask_BS.device)
    tokens_A = torch.full_like(sentences_A, BOS_ID)
    coverage = Coverage.start(memory, options)
    is_bare = scoring.is_bare and draw is None and not options.returns_scores
    trace = _Trace(options, is_bare=is_bare)
    for length in range(1, max(limits) + 1):
        step = model.step(tokens_A, state)
        scores_A, tokens_A = _next(scoring, step.logits_NV, tokens_A, draw, is_scored=not is_bare)
        coverage.add(step.attention_NS)
        trace.add(sentences_A, tokens_A, scores_A, step.attention_NS, coverage.changes_N)
        # A NaN score compares false, so a broken sentence leaves too, and the trace raises at the end.
        going_A = (tokens_A != EOS_ID) & (limits_A > length) & (scores_A > -torch.inf)
        kept = closed_up(going_A)
        if not len(kept):
            break
        state = step.state
        if len(kept) < len(going_A):
            sentences_A, limits_A, tokens_A = sentences_A[kept], limits_A[kept], tokens_A[kept]
            state = state.reorder(kept)
            scoring.reorder(kept)
            coverage.reorder(kept)
            if draw is not None:
                draw.reorder(kept)
    return trace.hypotheses(memory.mask_BS.sum(1).tolist())


def _next(
    scoring: Scoring, logits_AV: Tensor, tokens_A: Tensor, draw: Draw | None, *, is_scored: bool
) -> tuple[Tensor, Tensor]:
    """Score, or only logit, and id of the next token of each sentence.

    It is chosen by its logit where nothing changes scores, so that it is the same whether or not scores are made.
    """
    if draw is not None:
        return draw(scoring.all_next(logits_AV, tokens_A))
    if scoring.is_bare:
        logits_AV = logits_AV.float()
        added_A = normalizers(logits_AV) if is_scored else 0.0
        values_A, ids_A = likeliest(logits_AV)
        return values_A + added_A, ids_A
    scores_A1, ids_A1 = scoring.best_sums(logits_AV, tokens_A, torch.zeros_like(logits_AV[:, :1]).float(), 1)
    return scores_A1.squeeze(1), ids_A1.squeeze(1)


class _Trace:
    """What every step chose for the sentences it still held."""

    def __init__(self, options: SearchConfig, *, is_bare: bool) -> None:
        """Begin; `is_bare`: what tokens are chosen by are no scores."""
        self._options, self._is_bare = options, is_bare
        self._sentences: list[Tensor] = []
        self._tokens: list[Tensor] = []
        self._scores: list[Tensor] = []
        self._attention: list[Tensor] = []
        self._changes: list[Tensor] = []

    def add(
        self,
        sentences_A: Tensor,
        tokens_A: Tensor,
        scores_A: Tensor,
        attention_AS: Tensor,
        changes_A: Tensor | None,
    ) -> None:
        self._sentences.append(sentences_A)
        self._tokens.append(tokens_A)
        self._scores.append(scores_A)
        if self._options.keeps_attention:
            self._attention.append(attention_AS)
        if changes_A is not None:
            self._changes.append(changes_A)

    def hypotheses(self, source_lengths: list[int]) -> list[list[Hypothesis]]:
        """Sort all tokens by sentence (they already stand in the order of time) and cut."""
        sentences_P = torch.cat(self._sentences)
        order_P = sentences_P.argsort(stable=True)
        tokens_P = torch.cat(self._tokens)[order_P].cpu().numpy().astype(np.int32)
        scores_P = torch.cat(self._scores)[order_P].double().cpu().numpy()
        # Of infinite logits there are no probabilities either.
        check_scores(np.where(np.isfinite(scores_P), scores_P, np.nan) if self._is_bare else scores_P)
        if self._is_bare:
            scores_P.fill(np.nan)
        lengths_B = np.bincount(sentences_P.cpu().numpy(), minlength=len(source_lengths))
        ends_B = np.cumsum(lengths_B)
        totals_B = np.add.reduceat(scores_P, ends_B - lengths_B)
        attention_PS = torch.cat(self._attention)[order_P].float().cpu().numpy() if self._attention else None
        changes_P = torch.cat(self._changes)[order_P].double().cpu().numpy() if self._changes else None
        results = []
        for sentence, (end, length) in enumerate(zip(ends_B.tolist(), lengths_B.tolist(), strict=True)):
            finished = bool(tokens_P[end - 1] == EOS_ID)
            rows, texts = slice(end - length, end), slice(end - length, end - finished)
            change = 0.0 if changes_P is None else float(changes_P[end - 1])
            hypothesis = Hypothesis(
                tokens=tokens_P[texts].copy(),
                score=float(totals_B[sentence]) / length**self._options.length_penalty + change,
                log_probability=float(totals_B[sentence]),
                finished=finished,
                attention=None if attention_PS is None else attention_PS[rows, : source_lengths[sentence]].copy(),
                token_scores=scores_P[texts].copy(),
            )
            results.append([hypothesis])
        return results
