"""Filter banks in, a vector for every few frames out: convolutions with strides.

Shape legend: B rows, S positions (frames at first, fewer after each stride), F frequency bins, C channels, D model
width.

Every convolution sees zeros behind the end of a row, whatever stands there in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.layers.projections import linear
from seq2seq_core.models.layers.rows import length_mask

FrontEnd = Literal["conv2d", "conv1d"]

STRIDES: Mapping[int, tuple[int, ...]] = {2: (2,), 4: (2, 2), 6: (2, 3), 8: (2, 2, 2)}
"""The strides of the convolutions that make one position of so many frames."""


class PlaneConvolutions(nn.Module):
    """Convolutions over time and frequency (Dong, Xu and Xu 2018), all but the first one separable.

    Separable ones cost a fraction, and recognise as well (Rekesh et al. 2023, section 3.1).
    """

    def __init__(self, bins: int, width: int, channels: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.first = _with_relu(nn.Conv2d(1, channels, _kernel(strides[0]), strides[0], strides[0] - 1))
        self.depthwise, self.pointwise = nn.ModuleList(), nn.ModuleList()
        bins = _shrunk(bins, strides[0])
        for stride in strides[1:]:
            kernel, padding = _kernel(stride), stride - 1
            self.depthwise.append(nn.Conv2d(channels, channels, kernel, stride, padding, groups=channels))
            self.pointwise.append(_with_relu(nn.Conv2d(channels, channels, 1)))
            bins = _shrunk(bins, stride)
        self.output = linear(channels * bins, width)

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B x S x D) of a batch of frames (B x S x F), and how many of them are real."""
        x_BSF = _without_padding(x_BSF, lengths_B)
        x_BCSF = self.first(x_BSF[:, None].to(memory_format=torch.channels_last)).relu()
        lengths_B = _shorter(lengths_B, self.strides[0])
        for stride, depthwise, pointwise in zip(self.strides[1:], self.depthwise, self.pointwise, strict=True):
            x_BCSF = x_BCSF.masked_fill(~length_mask(lengths_B, x_BCSF.size(2))[:, None, :, None], 0.0)
            x_BCSF = pointwise(depthwise(x_BCSF)).relu()
            lengths_B = _shorter(lengths_B, stride)
        vectors: Tensor = self.output(x_BCSF.permute(0, 2, 3, 1).flatten(2))
        return vectors, lengths_B


class LineConvolutions(nn.Module):
    """Convolutions over time alone, gated (Synnaeve et al. 2020): a fraction of the work of those over a plane."""

    def __init__(self, bins: int, width: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.layers = nn.ModuleList(
            nn.Conv1d(width if number else bins, 2 * width, 5, stride, 2) for number, stride in enumerate(strides)
        )

    def forward(self, x_BSF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (B x S x D) of a batch of frames (B x S x F), and how many of them are real."""
        for stride, layer in zip(self.strides, self.layers, strict=True):
            x_BSF = _without_padding(x_BSF, lengths_B)
            x_BSF = functional.glu(layer(x_BSF.transpose(1, 2)), 1).transpose(1, 2)
            lengths_B = _shorter(lengths_B, stride)
        return x_BSF, lengths_B


_KINDS: dict[FrontEnd, Callable[[int, int, int, tuple[int, ...]], nn.Module]] = {
    "conv2d": PlaneConvolutions,
    "conv1d": lambda bins, width, _, strides: LineConvolutions(bins, width, strides),
}


def front_end(kind: FrontEnd, bins: int, width: int, channels: int, subsampling: int) -> nn.Module:
    """B x S x F and lengths in, B x ceil(S / subsampling) x D and lengths out."""
    return _KINDS[kind](bins, width, channels, STRIDES[subsampling])


def _kernel(stride: int) -> int:
    """So wide that neighbours overlap, and n positions give ceil(n / stride)."""
    return 2 * stride - 1


def _shrunk(positions: int, stride: int) -> int:
    return -(-positions // stride)


def _shorter(lengths_B: Tensor, stride: int) -> Tensor:
    return (lengths_B + (stride - 1)).div(stride, rounding_mode="floor")


def _without_padding(x_BSF: Tensor, lengths_B: Tensor) -> Tensor:
    return x_BSF.masked_fill(~length_mask(lengths_B, x_BSF.size(1))[:, :, None], 0.0)


def _with_relu(layer: nn.Conv2d) -> nn.Conv2d:
    """Weights that keep the variance through a rectifier (He et al. 2015)."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
