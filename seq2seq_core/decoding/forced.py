"""Sources and given targets in, the log probability of each target token out: no search.

Shape legend: B sentences, S source positions, T target positions with EOS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq_core.decoding.batched import Positions, pad
from seq2seq_core.decoding.paths import check_scores
from seq2seq_core.modalities.base import Modality
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def score_targets(
    model: Seq2Seq,
    modality: Modality,
    sequences: Sequence[Positions],
    targets: Sequence[Ids],
    max_batch_tokens: int,
) -> list[Floats]:
    """Score all pairs on the model's device, in evaluation mode; a pair's result does not depend on the others.

    Args:
        model: Any family.
        modality: What its source is.
        sequences: Sources.
        targets: A target for each, without BOS and EOS; it may be empty.
        max_batch_tokens: Most padded positions of a batch, sources and targets together.

    Returns:
        Natural log probabilities (float64) of the tokens of each target and of EOS behind it.

    Raises:
        ModelError: The model's output is not a number, or does not reach so far.
    """
    results: list[Floats] = [np.zeros(0)] * len(targets)
    device = next(model.parameters()).device
    with model.evaluating(), torch.inference_mode():
        for chosen in _batches([*map(len, sequences)], [*map(len, targets)], max_batch_tokens):
            source_BS, lengths_B = pad(modality, [sequences[i] for i in chosen])
            wanted_BT = _ended([targets[i] for i in chosen]).to(device)
            scores_BT = _score(model, source_BS.to(device), lengths_B.to(device), wanted_BT).cpu().double().numpy()
            for row, i in enumerate(chosen):
                results[i] = scores_BT[row, : len(targets[i]) + 1].copy()
                check_scores(results[i])
    return results


def _score(model: Seq2Seq, source_BS: Tensor, lengths_B: Tensor, wanted_BT: Tensor) -> Tensor:
    given_BT = functional.pad(wanted_BT[:, :-1], (1, 0), value=BOS_ID)
    logits_BTV = model(source_BS, lengths_B, given_BT).logits_BTV.float()
    chosen_BT = logits_BTV.gather(2, wanted_BT.unsqueeze(2)).squeeze(2)
    scores_BT: Tensor = chosen_BT - logits_BTV.logsumexp(2)
    return scores_BT


def _ended(targets: Sequence[Ids]) -> Tensor:
    """Each target with EOS behind it, and PAD behind that (int64, B x T)."""
    rows = np.full((len(targets), 1 + max(map(len, targets))), PAD_ID, np.int64)
    for row, ids in zip(rows, targets, strict=True):
        row[: len(ids)], row[len(ids)] = ids, EOS_ID
    return torch.from_numpy(rows)


def _batches(sources: Sequence[int], targets: Sequence[int], most: int) -> Iterator[list[int]]:
    """Pairs of about one length; what is over the budget alone makes a batch of its own."""
    order = sorted(range(len(targets)), key=lambda i: (targets[i], sources[i]), reverse=True)
    batch: list[int] = []
    longest = (0, 0)
    for i in order:
        wider = max(longest[0], sources[i] + 1), max(longest[1], targets[i] + 1)
        if batch and (len(batch) + 1) * sum(wider) > most:
            yield batch
            batch, wider = [], (sources[i] + 1, targets[i] + 1)
        batch.append(i)
        longest = wider
    if batch:
        yield batch
