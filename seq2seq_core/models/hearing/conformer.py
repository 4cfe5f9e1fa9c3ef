"""Vectors of a source in, vectors of the same shape out: the blocks of a Conformer (Gulati et al. 2020).

Shape legend: B rows, S positions, D model width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.models.hearing.relative import source_attention
from seq2seq_core.models.hearing.shape import EncoderShape
from seq2seq_core.models.layers.projections import linear
from seq2seq_core.models.layers.sublayers import FeedForward, Residual


class ConformerBlock(nn.Module):
    """Self-attention and a convolution between two half-steps of feed-forward layers (section 2.4, after Lu 2019)."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.first = FeedForward(shape)
        self.first_residual = Residual(shape)
        self.attention = source_attention(shape)
        self.attention_residual = Residual(shape)
        self.convolution = Convolution(shape.width, shape.convolution_kernel)
        self.convolution_residual = Residual(shape)
        self.last = FeedForward(shape)
        self.last_residual = Residual(shape)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, x_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """B x S x D in and out."""
        x_BSD = self.first_residual.add(x_BSD, 0.5 * self.first(self.first_residual.enter(x_BSD)))
        contexts = self.attention(self.attention_residual.enter(x_BSD), mask_BS[:, None, None])
        x_BSD = self.attention_residual.add(x_BSD, contexts)
        x_BSD = self.convolution_residual.add(x_BSD, self.convolution(self.convolution_residual.enter(x_BSD), mask_BS))
        x_BSD = self.last_residual.add(x_BSD, 0.5 * self.last(self.last_residual.enter(x_BSD)))
        outputs: Tensor = self.norm(x_BSD)
        return outputs


class Convolution(nn.Module):
    """A gated projection, a depthwise convolution and a projection (section 2.2).

    Layer normalisation stands where the paper has batch normalisation: what a row gives must not depend on the rows
    beside it, and not on how many of their frames are padding.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.input = linear(width, width, parts=2)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.output = linear(width, width)

    def forward(self, x_BSD: Tensor, mask_BS: Tensor) -> Tensor:
        """B x S x D in and out."""
        x_BSD = functional.glu(self.input(x_BSD), -1).masked_fill(~mask_BS[:, :, None], 0.0)
        # As an image one row high: channels stand last then, and a processor need not turn the batch around twice.
        image_BD1S = x_BSD.transpose(1, 2).unsqueeze(2)
        layer = self.depthwise
        weight_DK, padding = layer.weight.flatten(1), (0, layer.kernel_size[0] // 2)  # its gradient lies as itself does
        weight_D11K = weight_DK[:, None, None]
        image_BD1S = functional.conv2d(image_BD1S, weight_D11K, layer.bias, padding=padding, groups=layer.groups)
        outputs: Tensor = self.output(functional.silu(self.norm(image_BD1S.squeeze(2).transpose(1, 2))))
        return outputs
