"""Filter banks in, a state for every few frames out: the listener of listen, attend and spell (Chan et al. 2016).

Shape legend: B rows, S positions (half as many after each layer that reads pairs), I input width, D model width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.recurrence import RecurrentLayer, mirrored_rows
from seq2seq_core.models.layers.rows import length_mask


class Pyramid(nn.Module):
    """Bidirectional LSTM layers, of which the lowest `halvings` read what is below in pairs (section 3.1).

    The lowest layer reads pairs of frames, so nothing runs over every frame.
    """

    def __init__(self, bins: int, width: int, layers: int, halvings: int, dropout: float) -> None:
        super().__init__()
        self.halvings = halvings
        self.dropout = Dropout(dropout)
        inputs = [(width if number else bins) * (2 if number < halvings else 1) for number in range(layers)]
        self.layers = nn.ModuleList(RecurrentLayer("lstm", count, width) for count in inputs)

    def forward(self, x_BSI: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """States (B x S x D) of a batch of frames (B x S x F), and how many of them are real."""
        mask_BS = length_mask(lengths_B, x_BSI.size(1))
        for number, layer in enumerate(self.layers):
            if number < self.halvings:
                x_BSI, lengths_B = in_pairs(x_BSI, mask_BS), (lengths_B + 1).div(2, rounding_mode="floor")
                mask_BS = length_mask(lengths_B, x_BSI.size(1))
            x_BSI = self.dropout(layer(x_BSI, mirrored_rows(lengths_B, mask_BS)))
        return x_BSI, lengths_B


def halvings(subsampling: int) -> int:
    """How often a pyramid halves the number of positions to make one of so many frames, a power of 2."""
    return subsampling.bit_length() - 1


def in_pairs(x_BSI: Tensor, mask_BS: Tensor) -> Tensor:
    """Each two positions side by side as one (B x ceil(S / 2) x 2 I); the last of an odd number has zeros beside it."""
    x_BSI = x_BSI.masked_fill(~mask_BS[:, :, None], 0.0)
    if x_BSI.size(1) % 2:
        x_BSI = functional.pad(x_BSI, (0, 0, 0, 1))
    return torch.unflatten(x_BSI, 1, (-1, 2)).flatten(2)
