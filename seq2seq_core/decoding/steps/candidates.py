"""Values of all next tokens in, the best continuations out.

Shape legend: N rows, V target vocabulary, K tokens a row or continuations a sentence, C blocks of the vocabulary,
A sentences, W rows a sentence, M places looked at.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID

_FORBIDDEN = (PAD_ID, BOS_ID)
_BLOCK = 32
_SMALL_VOCABULARY = 3000
_ROWS = 32  # that are worked on at once: what a function needs beside them then stays in the processor's caches


def log_probabilities(logits_NV: Tensor) -> Tensor:
    """Natural log probabilities of all tokens (float32, N x V); those of PAD and BOS, which never come, are -inf."""
    scores_NV = logits_NV.float().log_softmax(1)
    scores_NV[:, list(_FORBIDDEN)] = -torch.inf
    return scores_NV


def normalizers(logits_NV: Tensor) -> Tensor:
    """What makes log probabilities of a row's logits (float32) when it is added to them (N).

    Cheaper than `log_probabilities` where few of them are looked at. The logits of PAD and BOS become -inf, in place. A
    row that holds NaN or +inf gets what makes NaN of its best.
    """
    rows = _ROWS if logits_NV.device.type == "cpu" else len(logits_NV)
    parts = [logits_NV[first : first + rows].logsumexp(1) for first in range(0, len(logits_NV), rows)]
    added_N = torch.cat(parts).neg_()
    _forbid(logits_NV)
    return added_N


def likeliest(logits_NV: Tensor) -> tuple[Tensor, Tensor]:
    """The largest logit of each row (float32), but those of PAD and BOS, and its token: both N. The logits are used up.

    That takes no sum over the vocabulary, as a probability does.
    """
    values_NV = logits_NV.float()
    _forbid(values_NV)
    values_N1, tokens_N1 = largest(values_NV, 1)
    return values_N1.squeeze(1), tokens_N1.squeeze(1)


def _forbid(logits_NV: Tensor) -> None:
    for forbidden in _FORBIDDEN:
        logits_NV[:, forbidden] = -torch.inf


def best_sums(values_NV: Tensor, added_N: Tensor, width: int, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest sums of each `width` rows, and where they stand: row of the sentence * V + token.

    Args:
        values_NV: float32.
        added_N: What is added to the values of each row (float32).
        width: Rows of a sentence.
        count: K, at most width * V.

    Returns:
        Sums (float32) and places (int64), A x K, the largest first.
    """
    rows, vocabulary = values_NV.shape
    sentences = rows // width
    if values_NV.device.type != "cpu" or vocabulary < _SMALL_VOCABULARY or count * _BLOCK >= vocabulary:
        found = (values_NV + added_N.unsqueeze(1)).view(sentences, -1).topk(count)
        return found.values, found.indices
    sums_AM, places_AM = _in_best_blocks(values_NV, added_N, width, count)
    covered = vocabulary // _BLOCK * _BLOCK
    if covered < vocabulary:
        sums_NT = values_NV[:, covered:] + added_N.unsqueeze(1)
        places_WT = torch.arange(width).unsqueeze(1) * vocabulary + torch.arange(covered, vocabulary)
        sums_AM = torch.cat((sums_AM, sums_NT.view(sentences, -1)), 1)
        places_AM = torch.cat((places_AM, places_WT.view(1, -1).expand(sentences, -1)), 1)
    found = sums_AM.topk(count)
    return found.values, places_AM.gather(1, found.indices)


def _in_best_blocks(values_NV: Tensor, added_N: Tensor, width: int, count: int) -> tuple[Tensor, Tensor]:
    """The sums, and their places, of the `count` blocks of 32 tokens with the largest maxima in each sentence.

    The `count` largest sums stand in these blocks, or behind the last full one: a vectorised look at the maxima takes
    the place of a `topk` that visits every value one by one.
    """
    vocabulary, blocks = values_NV.shape[1], values_NV.shape[1] // _BLOCK
    values_AV, added_AW = values_NV.view(-1, width * vocabulary), added_N.view(-1, width)
    peaks_NC = values_NV[:, : blocks * _BLOCK].view(len(values_NV), -1, _BLOCK).amax(2)
    chosen_AK = (peaks_NC + added_N.unsqueeze(1)).view(-1, width * blocks).topk(count).indices
    rows_AK = chosen_AK.div(blocks, rounding_mode="floor")
    starts_AK = rows_AK * vocabulary + (chosen_AK - rows_AK * blocks) * _BLOCK
    places_AM = (starts_AK.unsqueeze(2) + torch.arange(_BLOCK)).flatten(1)
    sums_AKB = values_AV.gather(1, places_AM).view(-1, count, _BLOCK) + added_AW.gather(1, rows_AK).unsqueeze(2)
    return sums_AKB.flatten(1), places_AM


def largest(values_NV: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest values of each row and where they stand, both N x count, the largest first."""
    return best_sums(values_NV, values_NV.new_zeros(len(values_NV)), 1, count)
