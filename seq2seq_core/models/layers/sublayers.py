"""Vectors of all positions in, vectors of the same shape out: the layers that a Transformer and its kin are made of.

Shape legend: B sentences, W search width, S source positions, T target positions, D model width.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from seq2seq_core.models.layers.attention import CrossAttention, Past, Place, SelfAttention, attention_bias
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.projections import linear

Activation = Literal["relu", "gelu", "swish"]
Norm = Literal["pre", "post"]
Normalization = Literal["layer", "rms"]
FeedForwardKind = Literal["plain", "gated"]

_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "swish": functional.silu,
}


class LayerShape(Protocol):
    """What a layer has to know of an architecture."""

    @property
    def width(self) -> int: ...
    @property
    def feed_forward_width(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def attention_dropout(self) -> float: ...
    @property
    def activation_dropout(self) -> float: ...
    @property
    def activation(self) -> Activation: ...
    @property
    def norm(self) -> Norm: ...
    @property
    def normalization(self) -> Normalization: ...
    @property
    def feed_forward(self) -> FeedForwardKind: ...


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each inside a residual connection; `attention` may know of positions."""

    def __init__(self, shape: LayerShape, attention: nn.Module | None = None, place: Place = None) -> None:
        super().__init__()
        self.self_attention = attention or SelfAttention(shape.width, shape.heads, shape.attention_dropout, place)
        self.self_residual = Residual(shape)
        self.feed_forward = FeedForward(shape)
        self.feed_forward_residual = Residual(shape)

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor) -> Tensor:
        """B x S x D in and out."""
        x_BSD = self.self_residual.add(x_BSD, self.self_attention(self.self_residual.enter(x_BSD), mask_B11S))
        return self.feed_forward_residual.add(x_BSD, self.feed_forward(self.feed_forward_residual.enter(x_BSD)))


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention and feed-forward, each inside a residual connection.

    Args:
        shape: Of the layer.
        place: See `SelfAttention`.
        like: An encoder layer whose self-attention and feed-forward this layer uses too; they are weights of that one.
    """

    def __init__(self, shape: LayerShape, place: Place = None, like: EncoderLayer | None = None) -> None:
        super().__init__()
        if like is not None:  # as plain attributes: a module would name their weights once more
            self.__dict__.update(self_attention=like.self_attention, feed_forward=like.feed_forward)
        else:
            self.self_attention = SelfAttention(shape.width, shape.heads, shape.attention_dropout, place)
        self.self_residual = Residual(shape)
        self.cross_attention = CrossAttention(shape.width, shape.heads, shape.attention_dropout)
        self.cross_residual = Residual(shape)
        if like is None:
            self.feed_forward = FeedForward(shape)
        self.feed_forward_residual = Residual(shape)

    def forward(
        self, x_BTD: Tensor, states_BSD: Tensor, mask_B11S: Tensor, *, attending: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """B x T x D in and out; where that is asked for (`attending`), the attention weights (B x H x T x S) too."""
        x_BTD = self.self_residual.add(x_BTD, self.self_attention(self.self_residual.enter(x_BTD), None, causal=True))
        memory = self.cross_attention.keys_values(states_BSD)
        if attending:
            return self.look_across_with_weights(x_BTD, memory, attention_bias(mask_B11S, memory))
        return self.look_across(x_BTD, memory, mask_B11S)

    def look_back(self, x_BWD: Tensor, past: Past, length: int, bias: Tensor | None) -> tuple[Tensor, Past]:
        """The self-attention of one step; see `SelfAttention.step`."""
        contexts, past = self.self_attention.step(self.self_residual.enter(x_BWD), past, length, bias)
        return self.self_residual.add(x_BWD, contexts), past

    def look_across(self, x_BWD: Tensor, memory_2BHSC: Tensor, bias_B11S: Tensor) -> Tensor:
        """The rest of one step; see `CrossAttention.forward`."""
        return self._on(x_BWD, self.cross_attention(self.cross_residual.enter(x_BWD), memory_2BHSC, bias_B11S))

    def look_across_with_weights(self, x_BWD: Tensor, memory_2BHSC: Tensor, bias_B11S: Tensor) -> tuple[Tensor, Tensor]:
        """Likewise, and its attention weights (B x H x W x S); see `CrossAttention.with_weights`."""
        contexts, weights_BHWS = self.cross_attention.with_weights(
            self.cross_residual.enter(x_BWD), memory_2BHSC, bias_B11S
        )
        return self._on(x_BWD, contexts), weights_BHWS

    def _on(self, x: Tensor, contexts: Tensor) -> Tensor:
        """What follows the memory's contexts."""
        x = self.cross_residual.add(x, contexts)
        return self.feed_forward_residual.add(x, self.feed_forward(self.feed_forward_residual.enter(x)))


class Layers(nn.ModuleList):
    """Layers that are gone through one after the other, `depth` in all: over and over, where there are fewer.

    In turn (1, 2, 3, 1, 2, 3) is one of the ways of Takase and Kiyono 2021, "Lessons on Parameter Sharing".

    Attributes:
        recomputes: Whether training keeps the inputs of each layer alone, and computes what it did with them again on
            the way back (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). The numbers are the same.
    """

    def __init__(self, layers: Iterable[nn.Module], depth: int) -> None:
        super().__init__(layers)
        self.depth, self.recomputes = depth, False

    def __iter__(self) -> Iterator[nn.Module]:
        return itertools.islice(itertools.cycle(super().__iter__()), self.depth)

    def called(self) -> Iterator[Callable[..., Any]]:
        """The layers as training calls them."""
        if not (self.recomputes and self.training and torch.is_grad_enabled()):
            return iter(self)
        return (functools.partial(checkpoint, layer, use_reentrant=False) for layer in self)


class Residual(nn.Module):
    """The way around a sublayer: pre-norm x + f(norm(x)) (Xiong et al. 2020) or post-norm norm(x + f(x))."""

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.pre = shape.norm == "pre"
        self.norm = normalization(shape)
        self.dropout = Dropout(shape.dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer sees of x."""
        inputs: Tensor = self.norm(x) if self.pre else x
        return inputs

    def add(self, x: Tensor, change: Tensor) -> Tensor:
        """x and what the sublayer made of it."""
        total: Tensor = x + self.dropout(change)
        outputs: Tensor = total if self.pre else self.norm(total)
        return outputs


class FeedForward(nn.Module):
    """Two projections with a nonlinearity between (Vaswani et al. 2017, section 3.3).

    Gated, what comes out of the nonlinearity is multiplied by a third projection of the input (Shazeer 2020).
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        self.inner = linear(shape.width, shape.feed_forward_width)
        self.outer = linear(shape.feed_forward_width, shape.width)
        self.gate = linear(shape.width, shape.feed_forward_width) if shape.feed_forward == "gated" else None
        self.activation = _ACTIVATIONS[shape.activation]
        self.dropout = Dropout(shape.activation_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """... x D in and out."""
        inner: Tensor = self.activation(self.inner(x))
        outputs: Tensor = self.outer(self.dropout(inner if self.gate is None else inner * self.gate(x)))
        return outputs


def normalization(shape: LayerShape) -> nn.Module:
    """The norm of a shape: of mean and variance (Ba et al. 2016), or of the root of the mean square alone (Zhang and
    Sennrich 2019).
    """
    return nn.RMSNorm(shape.width, eps=1e-6) if shape.normalization == "rms" else nn.LayerNorm(shape.width)
