"""One recurrent layer: inputs and a carry in, outputs and a carry out, over all positions at once or one by one.

Shape legend: B sentences, N rows, T positions, I input width, D hidden width, G gates (4 D for LSTM, 3 D for GRU).
"""

from __future__ import annotations

import contextlib
from typing import Literal, cast

import torch
from torch import Tensor, nn

from seq2seq_core.models.layers.projections import product

Cell = Literal["lstm", "gru"]

Carry = tuple[Tensor, ...]
"""What a layer hands to its next position: hidden (N x D), and for LSTM the cell (N x D)."""


class Recurrence(nn.Module):
    """An LSTM (Hochreiter and Schmidhuber 1997, forget gates of Gers et al. 2000) or GRU (Cho et al. 2014) layer.

    Input weights are drawn by Glorot and Bengio 2010, recurrent ones orthogonal, a gate each (Saxe et al. 2014);
    forget gates open at first (Jozefowicz et al. 2015).
    """

    def __init__(self, cell: Cell, inputs: int, width: int) -> None:
        super().__init__()
        self.cell, self.width = cell, width
        self.layer = (nn.LSTM if cell == "lstm" else nn.GRU)(inputs, width, batch_first=True)
        weight_GI, bias_G = self._of_inputs
        weight_GD, recurrent_bias_G = self._of_hidden
        self.gates = len(bias_G)
        for block in weight_GI.chunk(self.gates // width):
            nn.init.xavier_uniform_(block)
        for block in weight_GD.chunk(self.gates // width):
            nn.init.orthogonal_(block)
        nn.init.zeros_(bias_G)
        nn.init.zeros_(recurrent_bias_G)
        if cell == "lstm":
            nn.init.ones_(bias_G[width : 2 * width])

    @property
    def _of_inputs(self) -> tuple[Tensor, Tensor]:
        return cast(Tensor, self.layer.weight_ih_l0), cast(Tensor, self.layer.bias_ih_l0)

    @property
    def _of_hidden(self) -> tuple[Tensor, Tensor]:
        return cast(Tensor, self.layer.weight_hh_l0), cast(Tensor, self.layer.bias_hh_l0)

    def forward(self, x_BTI: Tensor, carry: Carry | None = None) -> Tensor:
        """The outputs (B x T x D) of all positions, by the kernels of cuDNN or oneDNN where there are any."""
        dtype, device = self._of_inputs[0].dtype, x_BTI.device.type
        x_BTI = x_BTI.to(dtype)
        first = None if carry is None else tuple(part[None].to(dtype) for part in carry)
        # Autocast asks oneDNN for a bfloat16 LSTM, which it has on some processors only and refuses on all others.
        with torch.autocast(device, enabled=False) if device == "cpu" else contextlib.nullcontext():
            outputs: Tensor = self.layer(x_BTI, first[0] if first and self.cell == "gru" else first)[0]
        return outputs

    def project(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        """What the inputs (... x I) add to the gates (... x G); it needs no carry, so all positions go at once.

        Args:
            x: All inputs, or the first of them.
            more: What the others add (... x G).
        """
        weight_GI, bias_G = self._of_inputs
        if more is None:
            return product(x, weight_GI, bias_G)
        return product(x, weight_GI[:, : x.size(-1)], bias_G) + more

    def weights_from(self, first: int) -> Tensor:
        """The weights (G x rest) of all inputs but so many."""
        return self._of_inputs[0][:, first:]

    def advance(self, projected_NG: Tensor, carry: Carry) -> Carry:
        """The carry after one position with these projected inputs; its first part is the output."""
        hidden = carry[0]
        recurrent_NG = product(hidden, *self._of_hidden).to(hidden.dtype)
        projected_NG = projected_NG.to(hidden.dtype)
        if self.cell == "lstm":
            return _lstm(projected_NG + recurrent_NG, carry[1])
        return _gru(projected_NG, recurrent_NG, hidden)


class RecurrentLayer(nn.Module):
    """Recurrence over a whole source, or two of half the width, one each way."""

    def __init__(self, cell: Cell, inputs: int, width: int, *, bidirectional: bool = True) -> None:
        super().__init__()
        width = width // 2 if bidirectional else width
        self.onward = Recurrence(cell, inputs, width)
        self.mirrored = Recurrence(cell, inputs, width) if bidirectional else None

    def forward(self, x_BTI: Tensor, rows: Tensor) -> Tensor:
        """B x T x I in, B x T x D out; `rows` as `mirrored_rows` gives them."""
        onward: Tensor = self.onward(x_BTI)
        if self.mirrored is None:
            return onward
        return torch.cat([onward, _take_rows(self.mirrored(_take_rows(x_BTI, rows)), rows)], -1)


def mirrored_rows(lengths_B: Tensor, mask_BT: Tensor) -> Tensor:
    """Where in the B * T positions each one finds its mirror image within its sentence; padding stays in place.

    A layer that runs over mirrored sentences reads them from their ends, with the padding still behind: no result
    depends on padding, and, unlike packed sequences, the device need not wait for the host to learn the lengths.
    """
    batch, positions = mask_BT.shape
    forward_T = torch.arange(positions, device=mask_BT.device)
    mirrored_BT = torch.where(mask_BT, lengths_B[:, None] - 1 - forward_T, forward_T)
    return (mirrored_BT + torch.arange(batch, device=mask_BT.device)[:, None] * positions).flatten()


def _take_rows(x_BTI: Tensor, rows: Tensor) -> Tensor:
    return x_BTI.flatten(0, 1).index_select(0, rows).view_as(x_BTI)


def _lstm(gates_NG: Tensor, cell_ND: Tensor) -> Carry:
    """Gates in the order of torch.nn.LSTM: input, forget, candidate, output."""
    write, keep, candidate, show = gates_NG.chunk(4, 1)
    cell_ND = keep.sigmoid() * cell_ND + write.sigmoid() * candidate.tanh()
    return show.sigmoid() * cell_ND.tanh(), cell_ND


def _gru(projected_NG: Tensor, recurrent_NG: Tensor, hidden_ND: Tensor) -> Carry:
    """Gates in the order of torch.nn.GRU: reset, update, candidate; reset acts on the projected hidden state."""
    width = hidden_ND.size(1)
    reset, update = (projected_NG[:, : 2 * width] + recurrent_NG[:, : 2 * width]).sigmoid().chunk(2, 1)
    candidate = torch.addcmul(projected_NG[:, 2 * width :], reset, recurrent_NG[:, 2 * width :]).tanh()
    return (torch.lerp(candidate, hidden_ND, update),)
