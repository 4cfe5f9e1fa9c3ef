"""Scores and tensors of checkpoints in, the steps of the best and the mean of their tensors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from seq2seq_core.training.progress import Score


def best_steps(steps: Sequence[int], scores: Mapping[int, Score], count: int) -> list[int]:
    """The `count` scored checkpoints with the highest scores, best first, the earliest of equals first."""
    return sorted((step for step in steps if step in scores), key=lambda step: (scores[step], -step), reverse=True)[
        :count
    ]


def averaged(tensor_sets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The element-wise mean of the same named tensors of several checkpoints, summed in float64, in their dtypes.

    Integer tensors (counters) are those of the first. Averaging: Vaswani et al. 2017, section 6.1.
    """
    first = tensor_sets[0]
    return {
        name: torch.stack([tensors[name].double() for tensors in tensor_sets]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }
