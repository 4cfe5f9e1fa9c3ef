"""Scores and tensors of checkpoints in, the steps of the best and the mean of their tensors out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from seq2seq_core.training.checkpoints.run_state import Score


def best_steps(steps: Sequence[int], scores: Mapping[int, Score], count: int) -> list[int]:
    """The `count` scored checkpoints with the highest scores, best first, the earliest of equals first."""
    return sorted((step for step in steps if step in scores), key=lambda step: (scores[step], -step), reverse=True)[
        :count
    ]


def averaged(tensor_sets: Iterable[Iterable[tuple[str, Tensor]]]) -> dict[str, Tensor]:
    """The element-wise mean of the same named tensors of several checkpoints, summed in float64, in their dtypes.

    Integer tensors (counters) are those of the first. The sets are read one after the other and not kept: beside the
    sums, which take what two sets in float32 do, no more than one tensor is in memory. Averaging: Vaswani et al. 2017,
    section 6.1.
    """
    sums: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    count = 0
    for tensors in tensor_sets:
        for name, tensor in tensors:
            if name not in sums:
                sums[name] = tensor.to(torch.float64, copy=True) if tensor.is_floating_point() else tensor
                kinds[name] = tensor.dtype
            elif tensor.is_floating_point():
                sums[name].add_(tensor)
        count += 1
    return {name: _mean(sums.pop(name), count, kind) for name, kind in kinds.items()}


def _mean(total: Tensor, count: int, kind: torch.dtype) -> Tensor:
    return total.div_(count).to(kind) if kind.is_floating_point else total
