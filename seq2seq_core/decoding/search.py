"""A padded batch of source sentences in, the best hypotheses of each sentence out."""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from seq2seq_core.decoding.beam import beam_search
from seq2seq_core.decoding.greedy import greedy_search
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.models.interface import Seq2Seq


def search(model: Seq2Seq, source_BS: Tensor, lengths_B: Tensor, options: SearchConfig) -> list[list[Hypothesis]]:
    """Decode a batch on the model's device, without gradients; the model must be in evaluation mode.

    A sentence gets the same result in any batch: its length limit, its stop and its pruning look at it alone. An
    output also ends where the model's own `max_length` does.

    Args:
        model: Any family; only its `encode`, `start` and `step` are used.
        source_BS: Padded sources, as `modalities.Padded` has them.
        lengths_B: How many positions of each are real (int64).
        options: Width, length penalty, limits and what to return.

    Returns:
        For each sentence its hypotheses, best first: `n_best` of them, or fewer where the vocabulary allows no more.

    Raises:
        ModelError: The logits are not numbers.
    """
    longest = sys.maxsize if model.max_length is None else model.max_length
    limits = [min(options.max_length(length - 1), longest) for length in lengths_B.tolist()]
    if not limits:
        return []
    with torch.inference_mode():
        if options.beam == 1:
            return greedy_search(model, source_BS, lengths_B, limits, options)
        return beam_search(model, source_BS, lengths_B, limits, options)
