"""Numbers of positions in; vectors that tell positions apart out.

Shape legend: D model width.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn

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
