"""Filter banks of a batch in, the same with stripes of time and frequency hidden out: SpecAugment.

Shape legend: B rows, S frames, F frequency bins, M masks.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_core.config import Config
from seq2seq_core.models.layers.rows import length_mask


class SpecAugmentConfig(Config):
    """How much is hidden in training; the defaults are those of Gulati et al. 2020, section 3.1."""

    frequency_masks: int = Field(2, ge=0, le=1000, description="stripes of frequency bins hidden in each row; 0: none")
    frequency_width: int = Field(27, ge=0, le=1 << 16, description="most bins of such a stripe")
    time_masks: int = Field(10, ge=0, le=1000, description="stripes of time hidden in each row; 0: none")
    time_share: float = Field(0.05, ge=0, le=1, description="most of a row's frames that such a stripe takes")


class SpecAugment(nn.Module):
    """Hides stripes in training (Park et al. 2019), of time in proportion to a row's length (Park et al. 2020).

    Where they begin and how wide they are is drawn uniformly by torch's generator, for each row of its own. What is
    hidden becomes the row's mean of its bin, so it tells nothing, whatever the features were normalised to.
    """

    def __init__(self, config: SpecAugmentConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> Tensor:
        """B x S x F in and out; nothing is hidden in evaluation mode."""
        config, (_, frames, bins) = self.config, x_BSF.shape
        if not self.training:
            return x_BSF
        all_bins_B = torch.full_like(lengths_B, bins)
        bins_BF = _stripes(all_bins_B, all_bins_B.clamp(max=config.frequency_width), config.frequency_masks, bins)
        widest_B = (lengths_B * config.time_share).long()
        times_BS = _stripes(lengths_B, widest_B, config.time_masks, frames)
        hidden_BSF = times_BS[:, :, None] | bins_BF[:, None]
        is_real_BS1 = length_mask(lengths_B, frames)[:, :, None]
        means_B1F = x_BSF.masked_fill(~is_real_BS1, 0.0).sum(1, keepdim=True) / lengths_B[:, None, None]
        return torch.where(hidden_BSF, means_B1F.to(x_BSF.dtype), x_BSF)


def _stripes(lengths_B: Tensor, widest_B: Tensor, count: int, positions: int) -> Tensor:
    """Where any of `count` stripes covers a position (bool, B x positions): each 0 to `widest` wide, within a row."""
    draws_2BM = torch.rand(2, len(lengths_B), count, device=lengths_B.device)
    widths_BM = (draws_2BM[0] * (widest_B[:, None] + 1)).long()
    begins_BM = (draws_2BM[1] * (lengths_B[:, None] - widths_BM + 1)).long()
    at = torch.arange(positions, device=lengths_B.device)
    covered = (at >= begins_BM[..., None]) & (at < (begins_BM + widths_BM)[..., None])
    return covered.any(1)
