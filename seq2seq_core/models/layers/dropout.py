"""Numbers in; the same with some of them at random made 0 and the others larger out (Srivastava et al. 2014).

Shapes are of any kind; "..." stands for them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16
_DRAWN = 4
"""Levels and the numbers of 16 bits that one draw of 64 bits gives."""


class Dropout(nn.Module):
    """As `torch.nn.Dropout`; on a CPU what is dropped is drawn four numbers at a time, an eighth of the time."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"share={self.share}"

    def forward(self, x: Tensor) -> Tensor:
        """... in and out; x itself outside training."""
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        return x * kept(x.shape, self.share, x)


def kept(shape: tuple[int, ...] | torch.Size, share: float, like: Tensor) -> Tensor:
    """A factor for each number: 0 for a share of them at random, for the others what keeps the mean.

    On a CPU the share is a multiple of 1 / 65536; that of 0.1 is 0.09999.

    Args:
        shape: Of the factors.
        share: 0 to 1, which is left out.
        like: Of their device and dtype.
    """
    if like.device.type != "cpu":
        return functional.dropout(torch.ones(shape, device=like.device, dtype=like.dtype), share)
    levels = min(round(share * _LEVELS), _LEVELS - 1)
    factors = torch.empty(shape, dtype=like.dtype)
    draws = torch.empty(-(-factors.numel() // _DRAWN), dtype=torch.int64).random_(-(1 << 63), None)
    bits = draws.view(torch.int16)[: factors.numel()].view(shape)
    torch.ge(bits, levels - _LEVELS // 2, out=factors)
    return factors.mul_(_LEVELS / (_LEVELS - levels))
