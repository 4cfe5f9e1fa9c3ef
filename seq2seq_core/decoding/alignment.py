"""Hypotheses in, the source positions that each of their tokens stands for out.

Tokens and frames run the same way, so the alignment is a best path through a trellis of frames x states (Viterbi), for
all hypotheses at once: a loop over frames alone. Where the model scores frames the states are those of CTC (Graves et
al. 2006: a blank before, between and after the tokens); else they are the tokens, and a frame is given to one of them
by attention.

Shape legend: H hypotheses, B sentences, S frames (encoder states), V target vocabulary, L most tokens of a hypothesis,
Q states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.tokenizer.vocabulary import PAD_ID

Spans = npt.NDArray[np.int32]
_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]

_MOST_CELLS = 1 << 23  # of a trellis: frames x hypotheses x states


class _Trellis(NamedTuple):
    """What a path may do, and what it is worth.

    Attributes:
        scores_SHQ: Of each state at each frame; frames behind the last one can only stay at the end.
        may_skip_HQ: Whether a path may come to a state from the last but one.
        starts: A path begins in one of so many first states.
        lasts_H: It ends in this state, or where `starts` is 2, in the one before.
    """

    scores_SHQ: _Floats
    may_skip_HQ: npt.NDArray[np.bool_]
    starts: int
    lasts_H: _Ints


class _Bounds(NamedTuple):
    """The frames [begin, end) of each state (int64, H x Q), and whether there is any path (bool, H)."""

    begins_HQ: _Ints
    ends_HQ: _Ints
    is_possible_H: npt.NDArray[np.bool_]


def align(
    found: Sequence[Sequence[Hypothesis]],
    frames_BSV: Tensor | None,
    mask_BS: Tensor,
    lengths: Sequence[int],
    subsampling: int,
) -> list[Spans]:
    """The spans of all hypotheses, sentence by sentence.

    Args:
        found: The hypotheses of each sentence, with attention where there are no frame scores.
        frames_BSV: `Seq2Seq.frame_scores`.
        mask_BS: Which encoder states are real.
        lengths: Source positions of each sentence.
        subsampling: Source positions of an encoder state.

    Returns:
        int32, tokens x 2: begin and end of each token in source positions, sorted, within the source. Tokens for which
        there are too few states share the source evenly.
    """
    frames = mask_BS.sum(1).tolist()
    spans: list[Spans] = []
    for first, rows in _chunks(found, mask_BS.shape[1]):
        sentences = np.repeat(np.arange(first, first + len(rows)), [len(row) for row in rows])
        hypotheses = [one for row in rows for one in row]
        counts_H = np.array([frames[b] for b in sentences], np.int64)
        if frames_BSV is None:
            bounds = _best(_of_attention(hypotheses, counts_H))
            begins_HL, ends_HL = bounds.begins_HQ, bounds.ends_HQ
        else:
            bounds = _best(_of_frames(hypotheses, frames_BSV, sentences, counts_H))
            begins_HL, ends_HL = bounds.begins_HQ[:, 1::2], bounds.ends_HQ[:, 1::2]
        for h, one in enumerate(hypotheses):
            length, count = lengths[sentences[h]], len(one.tokens)
            edges = np.stack((begins_HL[h, :count], ends_HL[h, :count]), 1) * subsampling
            spans.append(
                np.minimum(edges, length).astype(np.int32) if bounds.is_possible_H[h] else _even(count, length)
            )
    return spans


def _chunks(found: Sequence[Sequence[Hypothesis]], frames: int) -> Iterator[tuple[int, Sequence[Sequence[Hypothesis]]]]:
    """Sentences in runs whose trellis is not too large, and which of all is the first."""
    states = 2 * max((len(one.tokens) for row in found for one in row), default=0) + 1
    most = max(1, max(map(len, found), default=1))
    step = max(1, _MOST_CELLS // (frames * states * most))
    for first in range(0, len(found), step):
        if any(found[first : first + step]):
            yield first, found[first : first + step]


def _of_frames(hypotheses: Sequence[Hypothesis], frames_BSV: Tensor, sentences: _Ints, counts_H: _Ints) -> _Trellis:
    lengths_H = np.array([len(one.tokens) for one in hypotheses], np.int64)
    tokens_HL = np.full((len(hypotheses), lengths_H.max()), PAD_ID, np.int64)
    is_token_HL = np.arange(tokens_HL.shape[1]) < lengths_H[:, None]
    tokens_HL[is_token_HL] = np.concatenate([one.tokens for one in hypotheses])
    at_H = torch.from_numpy(sentences).to(frames_BSV.device)
    ids_HL = torch.from_numpy(tokens_HL).to(frames_BSV.device)
    tokens_SHL = frames_BSV[at_H[:, None], :, ids_HL].permute(2, 0, 1).float().cpu().numpy()
    blanks_SH = frames_BSV[:, :, PAD_ID][at_H].T.float().cpu().numpy()
    scores_SHQ = np.full((*blanks_SH.shape, 2 * tokens_HL.shape[1] + 1), -np.inf, np.float32)
    is_real_SH = np.arange(len(blanks_SH))[:, None] < counts_H
    scores_SHQ[:, :, ::2] = np.where(is_real_SH, blanks_SH, 0)[:, :, None]
    scores_SHQ[:, :, 1::2] = np.where(is_real_SH[:, :, None] & is_token_HL, tokens_SHL, -np.inf)
    may_skip_HQ = np.zeros(scores_SHQ.shape[1:], np.bool_)
    may_skip_HQ[:, 3::2] = tokens_HL[:, 1:] != tokens_HL[:, :-1]
    return _Trellis(scores_SHQ, may_skip_HQ, 2, 2 * lengths_H)


def _of_attention(hypotheses: Sequence[Hypothesis], counts_H: _Ints) -> _Trellis:
    """Each frame goes to a token, EOS among them where it was reached; the sum of their attention is what counts."""
    given = [np.zeros((0, 0), np.float32) if one.attention is None else one.attention for one in hypotheses]
    lengths_H = np.array([len(weights) for weights in given], np.int64)
    scores_SHQ = np.full((counts_H.max(), len(given), max(1, lengths_H.max())), -np.inf, np.float32)
    for h, weights in enumerate(given):
        scores_SHQ[: weights.shape[1], h, : len(weights)] = weights.T
    last_H = np.maximum(lengths_H - 1, 0)
    behind_SH = np.arange(len(scores_SHQ))[:, None] >= counts_H
    frame_P, row_P = np.nonzero(behind_SH)
    scores_SHQ[frame_P, row_P, last_H[row_P]] = 0
    scores_SHQ[:, lengths_H > counts_H] = -np.inf
    return _Trellis(scores_SHQ, np.zeros(scores_SHQ.shape[1:], np.bool_), 1, last_H)


def _best(trellis: _Trellis) -> _Bounds:
    """The best path of each hypothesis; of equal ones, that which enters a state last."""
    scores_SHQ, (frames, rows, states) = trellis.scores_SHQ, trellis.scores_SHQ.shape
    reached_HQ = np.full((rows, states + 2), -np.inf, np.float32)  # two columns that are never reached stand before
    reached_HQ[:, 2 : 2 + trellis.starts] = scores_SHQ[0, :, : trellis.starts]
    moves_SHQ = np.zeros((frames, rows, states), np.uint8)
    cannot_skip_HQ = np.where(trellis.may_skip_HQ, np.float32(0), np.float32(-np.inf))
    for frame in range(1, frames):
        best_HQ, steps_HQ = reached_HQ[:, 2:], reached_HQ[:, 1:-1]
        moves_HQ = (steps_HQ >= best_HQ).astype(np.uint8)
        best_HQ = np.maximum(best_HQ, steps_HQ)
        if trellis.starts == 2:
            skips_HQ = reached_HQ[:, :-2] + cannot_skip_HQ
            moves_HQ[skips_HQ > best_HQ] = 2
            best_HQ = np.maximum(best_HQ, skips_HQ)
        moves_SHQ[frame] = moves_HQ
        reached_HQ[:, 2:] = best_HQ + scores_SHQ[frame]
    row = np.arange(rows)
    state_H, total_H = trellis.lasts_H, reached_HQ[row, trellis.lasts_H + 2]
    if trellis.starts == 2:
        before_H = reached_HQ[row, trellis.lasts_H + 1]
        state_H = np.where(before_H > total_H, state_H - 1, state_H)
        total_H = np.maximum(before_H, total_H)
    passed_HQ = np.zeros((rows, states + 1), np.int64)  # frames in each state, and one before the first
    for frame in range(frames - 1, -1, -1):
        passed_HQ[row, state_H + 1] += 1
        state_H = np.maximum(state_H - moves_SHQ[frame, row, state_H], 0)
    passed_HQ = passed_HQ.cumsum(1)
    return _Bounds(passed_HQ[:, :-1], passed_HQ[:, 1:], total_H > -np.inf)


def _even(count: int, length: int) -> Spans:
    """So many spans that share a source evenly."""
    edges = np.arange(count + 1) * length // max(count, 1)
    return np.stack((edges[:-1], edges[1:]), 1).astype(np.int32)
