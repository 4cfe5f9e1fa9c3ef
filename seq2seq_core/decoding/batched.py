"""Any number of sequences in, their hypotheses in the same order out: sorts, cuts into batches, pads, searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.decoding.steps.processor import Processing
from seq2seq_core.foreign_errors import is_lack_of_memory
from seq2seq_core.modalities.base import Modality, Ragged
from seq2seq_core.models.interface import Seq2Seq

Positions = npt.NDArray[Any]
"""A source as its modality has it in `Ragged.flat`: ids without BOS and EOS, or vectors (positions x width)."""


def generate(
    model: Seq2Seq,
    modality: Modality,
    sequences: Sequence[Positions],
    options: SearchConfig,
    max_batch_tokens: int,
    on_progress: Callable[[int], None] | None = None,
    processing: Sequence[Processing] = (),
    demands: Sequence[Demand] = (),
) -> list[list[Hypothesis]]:
    """Search all sequences on the model's device, in evaluation mode.

    Args:
        model: Any family.
        modality: What its source is.
        sequences: Sources; empty ones are allowed.
        options: How to search.
        max_batch_tokens: Size of a batch; see `cut`.
        on_progress: Called after each batch with the number of sequences it held.
        processing: What changes the scores of steps besides; see `search`.
        demands: What the output of each sequence has to hold; none: nothing.

    Returns:
        The hypotheses of each sequence, in the order given.

    Raises:
        ModelError: The model's output is not a number.
        ConfigError: The options ask for what the model does not have.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    order = np.argsort(-lengths, kind="stable")
    positions = -(-lengths // model.subsampling)
    results: list[list[Hypothesis]] = [[] for _ in sequences]
    with model.evaluating():
        for rows in cut(positions[order], options.rows, max_batch_tokens):
            chosen = order[rows]
            asked = [demands[i] for i in chosen] if demands else []
            batch = _Batch(modality, [sequences[i] for i in chosen], asked)
            found = _search(model, batch, options, processing)
            for i, hypotheses in zip(chosen.tolist(), found, strict=True):
                results[i] = hypotheses
            if on_progress:
                on_progress(len(chosen))
    return results


def cut(lengths: npt.NDArray[np.int64], beam: int, max_batch_tokens: int) -> Iterator[slice]:
    """Batches of sentences, given their lengths in encoder positions, longest first.

    A sentence counts with its padded source and, for each of its `beam` hypotheses, an output of the same
    length: (longest length + 1) * (1 + beam) tokens. A sentence over the budget makes a batch of its own.
    """
    start = 0
    while start < len(lengths):
        count = max(1, max_batch_tokens // ((int(lengths[start]) + 1) * (1 + beam)))
        yield slice(start, start + count)
        start += count


def pad(modality: Modality, sequences: Sequence[Positions]) -> tuple[Tensor, Tensor]:
    """Sources as an encoder reads them (B x S, or B x S x width), and how many positions are real (int64, B)."""
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    padded = modality.padded(Ragged(np.concatenate(sequences), lengths))
    return torch.from_numpy(padded.values), torch.from_numpy(padded.lengths)


class _Batch(NamedTuple):
    """Sources that are searched together, and what is demanded of each; none: nothing."""

    modality: Modality
    sequences: list[Positions]
    demands: list[Demand]

    def halves(self) -> tuple[_Batch, _Batch]:
        middle = len(self.sequences) // 2
        first, second = slice(middle), slice(middle, None)
        return (
            _Batch(self.modality, self.sequences[first], self.demands[first]),
            _Batch(self.modality, self.sequences[second], self.demands[second]),
        )


def _search(
    model: Seq2Seq, batch: _Batch, options: SearchConfig, processing: Sequence[Processing]
) -> list[list[Hypothesis]]:
    """Search one batch; where the memory does not hold it, one half after the other."""
    device = next(model.parameters()).device
    source_BS, lengths_B = pad(batch.modality, batch.sequences)
    try:
        return search(model, source_BS.to(device), lengths_B.to(device), options, processing, batch.demands)
    except (RuntimeError, MemoryError) as error:
        if len(batch.sequences) == 1 or not is_lack_of_memory(error):
            raise
    # Outside the handler: the exception's traceback would keep the tensors of the failed try alive.
    torch.cuda.empty_cache()
    return [found for half in batch.halves() for found in _search(model, half, options, processing)]
