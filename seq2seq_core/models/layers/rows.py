"""Lengths of rows, or where they move, in; masks and indices out.

Shape legend: B sentences, A sentences still in the batch, W search width, N = B * W rows, H heads,
K positions, C channels of one head.
"""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths_B: Tensor, positions: int) -> Tensor:
    """Bool B x positions, True where a row still has tokens."""
    return torch.arange(positions, device=lengths_B.device) < lengths_B[:, None]


def closed_up(going_A: Tensor) -> Tensor:
    """The sentences (int64) that go on (bool), the last of them in the places of those that leave: few have to move."""
    kept = going_A.nonzero().squeeze(1)
    rows = torch.arange(len(kept), device=going_A.device)
    rows[~going_A[: len(kept)]] = kept[kept >= len(kept)]
    return rows


class Taking:
    """Takes some sentences (int64) of tensors, which are used up; their second axis is that of sentences.

    Where they come as `closed_up` has them, those that move are written over those that left, and no others copied.
    """

    def __init__(self, sentences: Tensor) -> None:
        places = torch.arange(len(sentences), device=sentences.device)
        self._sentences = sentences
        self._moved = (sentences != places).nonzero().squeeze(1)
        self._sources = sentences[self._moved]
        self._in_place = not bool((self._sources < len(sentences)).any())

    def of(self, tensor: Tensor, positions: int | None = None) -> Tensor:
        """Of the tensor (2 x B x H x K x C), or the first of its K positions alone: what is behind them, if it is there
        at all, is undefined.
        """
        real = tensor if positions is None else tensor[:, :, :, :positions]
        if tensor.requires_grad or not self._in_place:
            return real.index_select(1, self._sentences)
        real[:, self._moved] = real[:, self._sources]
        return tensor[:, : len(self._sentences)]


def moved_sentences(parents_N: Tensor, width: int, sentences: int) -> Tensor | None:
    """Which sentence (int64) each group of `width` rows comes from; None when all stay where they are.

    `State.reorder` promises that the rows of a sentence stay together, so the first row of a group speaks for it.
    """
    origins = parents_N[::width] // width
    if len(origins) == sentences and torch.equal(origins, torch.arange(sentences, device=origins.device)):
        return None
    return origins
