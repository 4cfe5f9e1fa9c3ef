"""Lengths of rows, or where they move, in; masks and indices out.

Shape legend: B sentences, W search width, N = B * W rows.
"""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths_B: Tensor, positions: int) -> Tensor:
    """Bool B x positions, True where a row still has tokens."""
    return torch.arange(positions, device=lengths_B.device) < lengths_B[:, None]


def moved_sentences(parents_N: Tensor, width: int, sentences: int) -> Tensor | None:
    """Which sentence (int64) each group of `width` rows comes from; None when all stay where they are.

    `State.reorder` promises that the rows of a sentence stay together, so the first row of a group speaks for it.
    """
    origins = parents_N[::width] // width
    if len(origins) == sentences and torch.equal(origins, torch.arange(sentences, device=origins.device)):
        return None
    return origins
