"""Logits of one step in, the most probable next tokens of every row with their log probabilities out.

Shape legend: N rows, V target vocabulary, K candidates a row, C blocks of the vocabulary,
M tokens looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID

_FORBIDDEN = (PAD_ID, BOS_ID)
_BLOCK = 32
_SMALL_VOCABULARY = 3000


def best_next(logits_NV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` most probable tokens of each row, and up to two more, in no promised order.

    PAD and BOS can never be generated: they stand among the candidates with log probability -inf. Only the
    candidates are normalised, by the exact log-sum-exp of the whole row. A row whose logits hold NaN or +inf
    gets NaN.

    Args:
        logits_NV: float; used up: what it holds afterwards is undefined.
        count: How many tokens a search may need from one row.

    Returns:
        Natural log probabilities (float32) and token ids (int64), both N x K with K = min(count + 2, V).
    """
    logits_NV = logits_NV.float()
    largest_NK, ids_NK = largest(logits_NV, min(count + len(_FORBIDDEN), logits_NV.shape[1]))
    peak_N1 = largest_NK[:, :1]
    # In place: a second array of this size costs more in page faults than the arithmetic on it.
    total_N1 = logits_NV.sub_(peak_N1).exp_().sum(1, keepdim=True)
    scores_NK = largest_NK - peak_N1 - total_N1.log_()
    forbidden_NK = (ids_NK == PAD_ID) | (ids_NK == BOS_ID)
    return scores_NK.masked_fill_(forbidden_NK, -torch.inf), ids_NK


def log_probabilities(logits_NV: Tensor) -> Tensor:
    """Natural log probabilities of all tokens (float32, N x V); those of PAD and BOS are -inf, as in `best_next`."""
    scores_NV = logits_NV.float().log_softmax(1)
    scores_NV[:, list(_FORBIDDEN)] = -torch.inf
    return scores_NV


def largest(values_NV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest values of each row and where they stand, both N x count, the largest first.

    This is `topk`, which on CPU visits every value one by one, behind a vectorised look at the maxima of blocks. The
    `count` largest values stand in the `count` blocks with the largest maxima, so the result is exact.
    """
    rows, vocabulary = values_NV.shape
    if values_NV.device.type != "cpu" or vocabulary < _SMALL_VOCABULARY or count * _BLOCK >= vocabulary:
        found = values_NV.topk(count)
        return found.values, found.indices
    covered = vocabulary // _BLOCK * _BLOCK
    peaks_NC = values_NV[:, :covered].view(rows, -1, _BLOCK).amax(2)
    starts_NK = peaks_NC.topk(count).indices * _BLOCK
    ids_NM = (starts_NK.unsqueeze(2) + torch.arange(_BLOCK)).flatten(1)
    if covered < vocabulary:
        ids_NM = torch.cat((ids_NM, torch.arange(covered, vocabulary).expand(rows, -1)), 1)
    found = values_NV.gather(1, ids_NM).topk(count)
    return found.values, ids_NM.gather(1, found.indices)
