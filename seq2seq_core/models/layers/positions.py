"""Numbers of positions in; vectors that tell positions apart out.

Shape legend: D model width; B sentences, Q query positions, K key positions, H heads, C = channels of one head.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.errors import ModelError


class SinusoidalPositions(nn.Module):
    """Sines and cosines of geometric wavelengths (Vaswani et al. 2017, section 3.5), for any length."""

    def forward(self, first: int, count: int, like: Tensor) -> Tensor:
        """Vectors (count x D) of the positions from `first` on, of the device and width of `like`."""
        rounded = 1 << max(8, (first + count - 1).bit_length())
        return _sinusoids(rounded, like.size(-1), like.device)[first : first + count].to(like.dtype)


class LearnedPositions(nn.Module):
    """One trained vector a position."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(count, width))
        nn.init.normal_(self.table, std=width**-0.5)

    def forward(self, first: int, count: int, _like: Tensor) -> Tensor:
        """Vectors (count x D) of the positions from `first` on.

        Raises:
            ModelError: There are not as many positions.
        """
        if first + count > len(self.table):
            raise ModelError(
                "a sequence is longer than the learned positions of the model",
                found=f"{first + count} tokens",
                expected=f"at most {len(self.table)}",
                advice="Cut the text into shorter segments, or train with sinusoidal positions or more max_positions.",
            )
        return self.table[first : first + count]


class NoPositions(nn.Module):
    """Nothing: attention itself tells positions apart."""

    def forward(self, _first: int, _count: int, like: Tensor) -> Tensor:
        """0, of the device of `like`."""
        return like.new_zeros(())


class RelativePositions(NoPositions):
    """A trained number a head and distance, which attention adds to its scores (Raffel et al. 2020, section 2.1).

    Distances share numbers: the near half of them has one each, farther ones up to `FARTHEST` one for a range that
    grows with the distance, and all beyond one together. A sequence that looks both ways has half of them for either.
    """

    FARTHEST = 128
    _NUMBERS = 32

    def __init__(self, heads: int, *, both_ways: bool) -> None:
        super().__init__()
        self.both_ways = both_ways
        self.table = nn.Parameter(torch.zeros(self._NUMBERS, heads))

    def bias(self, queries: range, keys: int) -> Tensor:
        """What is added to scores (H x Q x K) of queries at some positions and the first so many keys."""
        at = torch.arange(queries.start, queries.stop, device=self.table.device)
        offsets_QK = torch.arange(keys, device=at.device) - at[:, None]
        return functional.embedding(self._numbered(offsets_QK), self.table).permute(2, 0, 1)

    def _numbered(self, offsets: Tensor) -> Tensor:
        """Which number each offset of a key from its query has."""
        count = self._NUMBERS // 2 if self.both_ways else self._NUMBERS
        first = (offsets > 0) * count if self.both_ways else torch.zeros_like(offsets)
        distances = offsets.abs() if self.both_ways else (-offsets).clamp(min=0)
        near = count // 2
        share = (distances.clamp(min=1).float() / near).log() / math.log(self.FARTHEST / near)
        far = (near + (share * (count - near)).long()).clamp(max=count - 1)
        return first + torch.where(distances < near, distances, far)


Positions = SinusoidalPositions | LearnedPositions | NoPositions
"""What is added to the vectors of a sequence."""


def rotated(x_BHQC: Tensor, first: int, count: int) -> Tensor:
    """Queries or keys turned by their positions, `count` of them from `first` on (Su et al. 2021, "RoFormer").

    Channel c of the first half makes a plane with channel c of the second; with a count of 1 all of Q stand at `first`.
    """
    rounded = 1 << max(8, (first + count - 1).bit_length())
    table_2QC = _rotations(rounded, x_BHQC.size(-1), x_BHQC.device)[:, first : first + count].to(x_BHQC.dtype)
    one, other = x_BHQC.chunk(2, -1)
    return x_BHQC * table_2QC[0] + torch.cat([-other, one], -1) * table_2QC[1]


@functools.lru_cache(maxsize=16)
def _rotations(count: int, width: int, device: torch.device) -> Tensor:
    """Cosines and sines (2 x count x width), float32; each of them twice, for the two channels of a plane."""
    with torch.inference_mode(False):
        steps = torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10_000.0) / width)
        angles = (torch.arange(count, dtype=torch.float64)[:, None] * steps.exp()).repeat(1, 2)
        return torch.stack([angles.cos(), angles.sin()]).float().to(device)


@functools.lru_cache(maxsize=16)
def _sinusoids(count: int, width: int, device: torch.device) -> Tensor:
    """The table count x width, float32, sines first; computed outside inference mode, as training may share it."""
    with torch.inference_mode(False):
        steps = torch.arange(width // 2, dtype=torch.float64) * (-math.log(10_000.0) / (width // 2))
        angles = torch.arange(count, dtype=torch.float64)[:, None] * steps.exp()
        return torch.cat([angles.sin(), angles.cos()], 1).float().to(device)


def distances(count: int, like: Tensor) -> Tensor:
    """Sinusoids (2 count - 1 x D) of the distances from count - 1 down to 1 - count, of the device and width of `like`.

    They are those of the Transformer-XL (Dai et al. 2019), for sources that look both ways.
    """
    rounded = 1 << max(8, (count - 1).bit_length())
    return _both_ways(rounded, like.size(-1), like.device)[rounded - count : rounded + count - 1].to(like.dtype)


@functools.lru_cache(maxsize=16)
def _both_ways(count: int, width: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        table = _sinusoids(count, width, device)
        mirrored = torch.cat([-table[:, : width // 2], table[:, width // 2 :]], 1)
        return torch.cat([table.flip(0), mirrored[1:]])
