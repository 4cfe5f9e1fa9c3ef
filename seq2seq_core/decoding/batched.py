"""Any number of sequences in, their hypotheses in the same order out: sorts, cuts into batches, pads, searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.decoding.search import search
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.tokenizer.vocabulary import EOS_ID, PAD_ID

TokenIds = npt.NDArray[np.int32]


def generate(
    model: Seq2Seq,
    sequences: Sequence[TokenIds],
    options: SearchConfig,
    max_batch_tokens: int,
    on_progress: Callable[[int], None] | None = None,
) -> list[list[Hypothesis]]:
    """Search all sequences on the model's device, in evaluation mode.

    Args:
        model: Any family.
        sequences: Source piece ids without BOS and EOS; empty ones are allowed.
        options: How to search.
        max_batch_tokens: Size of a batch; see `cut`.
        on_progress: Called after each batch with the number of sequences it held.

    Returns:
        The hypotheses of each sequence, in the order given.

    Raises:
        ModelError: The model's output is not a number.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    order = np.argsort(-lengths, kind="stable")
    results: list[list[Hypothesis]] = [[] for _ in sequences]
    with model.evaluating():
        for rows in cut(lengths[order], options.beam, max_batch_tokens):
            chosen = order[rows]
            found = _search(model, [sequences[i] for i in chosen], options)
            for i, hypotheses in zip(chosen.tolist(), found, strict=True):
                results[i] = hypotheses
            if on_progress:
                on_progress(len(chosen))
    return results


def cut(lengths: npt.NDArray[np.int64], beam: int, max_batch_tokens: int) -> Iterator[slice]:
    """Batches of sentences, given their lengths in pieces, longest first.

    A sentence counts with its padded source and, for each of its `beam` hypotheses, an output of the same
    length: (longest length + 1) * (1 + beam) tokens. A sentence over the budget makes a batch of its own.
    """
    start = 0
    while start < len(lengths):
        count = max(1, max_batch_tokens // ((int(lengths[start]) + 1) * (1 + beam)))
        yield slice(start, start + count)
        start += count


def pad(sequences: Sequence[TokenIds]) -> tuple[Tensor, Tensor]:
    """Source ids, each row ended by EOS and padded with PAD (int64, B x S), and the lengths (int64, B)."""
    lengths_B = np.fromiter(map(len, sequences), np.int64, len(sequences))
    positions_S = np.arange(int(lengths_B.max()) + 1)
    source_BS = np.full((len(sequences), len(positions_S)), PAD_ID, np.int64)
    source_BS[positions_S < lengths_B[:, None]] = np.concatenate(sequences)
    source_BS[np.arange(len(sequences)), lengths_B] = EOS_ID
    return torch.from_numpy(source_BS), torch.from_numpy(lengths_B + 1)


def _search(model: Seq2Seq, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
    """Search one batch; where the device's memory does not hold it, one half after the other."""
    device = next(model.parameters()).device
    source_BS, lengths_B = pad(sequences)
    try:
        return search(model, source_BS.to(device), lengths_B.to(device), options)
    except torch.OutOfMemoryError:
        if len(sequences) == 1:
            raise
    # Outside the handler: the exception's traceback would keep the tensors of the failed try alive.
    torch.cuda.empty_cache()
    middle = len(sequences) // 2
    return [*_search(model, sequences[:middle], options), *_search(model, sequences[middle:], options)]
