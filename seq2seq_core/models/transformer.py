"""The Transformer (Vaswani et al. 2017): token ids in, logits out, all positions at once or step by step.

Shape legend: B sentences, W search width (hypotheses a sentence), N = B * W rows, S source positions, T target
positions, P steps taken so far, D model width, H heads, C = channels of one head, V target vocabulary.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.attention import CrossAttention, Past, SelfAttention
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Memory, Seq2Seq, State, Step
from seq2seq_core.models.layers import Embeddings, TieEmbeddings, length_mask, linear, moved_sentences

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "swish": functional.silu,
}


class TransformerConfig(ArchitectureConfig):
    """The shape of a Transformer; the defaults are the base model of Vaswani et al. 2017 with pre-norm."""

    family: Literal["transformer"] = Field("transformer", description="transformer: Transformer encoder and decoder")
    width: int = Field(512, ge=1, le=1 << 16, description="width of embeddings and of every layer")
    feed_forward_width: int = Field(2048, ge=1, le=1 << 18, description="inner width of the feed-forward layers")
    heads: int = Field(8, ge=1, le=1 << 16, description="attention heads; width must be a multiple of it")
    encoder_layers: int = Field(6, ge=1, le=1000, description="layers of the encoder")
    decoder_layers: int = Field(6, ge=1, le=1000, description="layers of the decoder")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of embeddings and after every sublayer")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights")
    activation_dropout: float = Field(0.0, ge=0, lt=1, description="dropout inside the feed-forward layers")
    activation: Literal["relu", "gelu", "swish"] = Field("relu", description="nonlinearity of the feed-forward layers")
    norm: Literal["pre", "post"] = Field("pre", description="layer normalisation before or after each sublayer")
    positions: Literal["sinusoidal", "learned"] = Field("sinusoidal", description="how positions are told apart")
    max_positions: int = Field(
        512,
        ge=2,
        le=1 << 20,
        description="longest source or target in tokens, BOS or EOS included; for learned positions alone",
    )
    tie_embeddings: TieEmbeddings = Field(
        "target",
        description="target: target table and output projection are one; all: source too (needs a joint vocabulary)",
    )

    @model_validator(mode="after")
    def _widths_fit(self) -> TransformerConfig:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) is not a multiple of heads ({self.heads})")
        if self.positions == "sinusoidal" and self.width % 2:
            raise ValueError(f"width ({self.width}) is odd, positions ({self.positions}) need it even")
        return self

    @property
    def layer_counts(self) -> dict[str, int]:
        """See `ArchitectureConfig.layer_counts`."""
        return {"encoder_layers": self.encoder_layers, "decoder_layers": self.decoder_layers}

    @property
    def dimensions(self) -> dict[str, int]:
        """See `ArchitectureConfig.dimensions`."""
        widths = {"width": self.width, "feed_forward_width": self.feed_forward_width, "heads": self.heads}
        return widths | ({"max_positions": self.max_positions} if self.positions == "learned" else {})

    def build(self, source: EncoderInput, target_vocabulary: int) -> Transformer:
        """A freshly initialised model; see `Embeddings` for the ConfigError."""
        return Transformer(self, source, target_vocabulary)


class Transformer(Seq2Seq):
    """Encoder and decoder of `TransformerConfig`."""

    def __init__(self, config: TransformerConfig, source: EncoderInput, target_vocabulary: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(source, target_vocabulary, config.width, config.tie_embeddings)
        self.source_positions = _positions(config)
        self.target_positions = _positions(config)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        pre = config.norm == "pre"
        self.encoder_norm = nn.LayerNorm(config.width) if pre else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if pre else nn.Identity()
        self.max_length = config.max_positions if config.positions == "learned" else None

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """See `Seq2Seq.encode`; a ModelError when learned positions do not reach."""
        mask_BS = length_mask(source_lengths_B, source_BS.size(1))
        x_BSD = self.embeddings.embed_source(source_BS)
        x_BSD = self.dropout(x_BSD + self.source_positions(0, source_BS.size(1), x_BSD))
        for layer in self.encoder:
            x_BSD = layer(x_BSD, mask_BS[:, None, None])
        return Memory(self.encoder_norm(x_BSD), mask_BS)

    def forward(self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor) -> Forward:
        """See `Seq2Seq.forward`; a ModelError when learned positions do not reach."""
        memory = self.encode(source_BS, source_lengths_B)
        x_BTD = self.embeddings.embed_target(target_BT)
        x_BTD = self.dropout(x_BTD + self.target_positions(0, target_BT.size(1), x_BTD))
        for layer in self.decoder:
            x_BTD = layer(x_BTD, memory.states_BSD, memory.mask_BS[:, None, None])
        return Forward(self.embeddings.logits(self.decoder_norm(x_BTD)))

    def start(self, memory: Memory, width: int = 1) -> TransformerState:
        """See `Seq2Seq.start`: the cross-attention keys and values are computed here, once a sentence."""
        # Contiguous, or every step would copy them for its matrix products.
        crosses = tuple(
            layer.cross_attention.keys_values(memory.states_BSD).contiguous() for layer in self._decoder_layers()
        )
        sentences = memory.mask_BS.size(0)
        return TransformerState(
            width=width,
            mask_B11S=memory.mask_BS[:, None, None],
            crosses=crosses,
            pasts=tuple(Past(cross[:, :, :, :0], 0) for cross in crosses),
            ancestors_NP=torch.empty(sentences * width, 0, dtype=torch.int64, device=memory.mask_BS.device),
        )

    def step(self, tokens_N: Tensor, state: State) -> Step:
        """See `Seq2Seq.step`; the hypotheses of a sentence stand side by side as W query positions."""
        if not isinstance(state, TransformerState):
            raise TypeError(f"a state of {type(self).__name__}.start is needed, not {type(state).__name__}")
        x_BWD = self.embeddings.embed_target(tokens_N.view(-1, state.width))
        x_BWD = self.dropout(x_BWD + self.target_positions(state.steps, 1, x_BWD))
        length, state = state.steps * state.width, state.opened()
        mask, pasts, weights_BWS = state.self_mask(), [], x_BWD
        for layer, past, cross in zip(self._decoder_layers(), state.pasts, state.crosses, strict=True):
            x_BWD, present = layer.look_back(x_BWD, past, length, mask)
            x_BWD, weights_BWS = layer.look_across(x_BWD, cross, state.mask_B11S)
            pasts.append(present)
        logits_NV = self.embeddings.logits(self.decoder_norm(x_BWD)).flatten(0, 1)
        return Step(logits_NV, weights_BWS.flatten(0, 1), replace(state, pasts=tuple(pasts)))

    def _decoder_layers(self) -> list[DecoderLayer]:
        return list(self.decoder)  # type: ignore[arg-type]  # ModuleList forgets its element type


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each inside a residual connection."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config.width, config.heads, config.attention_dropout)
        self.self_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor) -> Tensor:
        """B x S x D in and out."""
        x_BSD = self.self_residual.add(x_BSD, self.self_attention(self.self_residual.enter(x_BSD), mask_B11S))
        return self.feed_forward_residual.add(x_BSD, self.feed_forward(self.feed_forward_residual.enter(x_BSD)))


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention and feed-forward, each inside a residual connection."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config.width, config.heads, config.attention_dropout)
        self.self_residual = Residual(config)
        self.cross_attention = CrossAttention(config.width, config.heads, config.attention_dropout)
        self.cross_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x_BTD: Tensor, states_BSD: Tensor, mask_B11S: Tensor) -> Tensor:
        """B x T x D in and out."""
        x_BTD = self.self_residual.add(x_BTD, self.self_attention(self.self_residual.enter(x_BTD), None, causal=True))
        memory = self.cross_attention.keys_values(states_BSD)
        contexts = self.cross_attention(self.cross_residual.enter(x_BTD), memory, mask_B11S)
        x_BTD = self.cross_residual.add(x_BTD, contexts)
        return self.feed_forward_residual.add(x_BTD, self.feed_forward(self.feed_forward_residual.enter(x_BTD)))

    def look_back(self, x_BWD: Tensor, past: Past, length: int, mask: Tensor | None) -> tuple[Tensor, Past]:
        """The self-attention of one step; see `SelfAttention.step`."""
        contexts, past = self.self_attention.step(self.self_residual.enter(x_BWD), past, length, mask)
        return self.self_residual.add(x_BWD, contexts), past

    def look_across(self, x_BWD: Tensor, memory_2BHSC: Tensor, mask_B11S: Tensor) -> tuple[Tensor, Tensor]:
        """The rest of one step, and its attention weights (B x W x S); see `CrossAttention.with_weights`."""
        contexts, weights_BWS = self.cross_attention.with_weights(
            self.cross_residual.enter(x_BWD), memory_2BHSC, mask_B11S
        )
        x_BWD = self.cross_residual.add(x_BWD, contexts)
        x_BWD = self.feed_forward_residual.add(x_BWD, self.feed_forward(self.feed_forward_residual.enter(x_BWD)))
        return x_BWD, weights_BWS


class Residual(nn.Module):
    """The way around a sublayer: pre-norm x + f(norm(x)) (Xiong et al. 2020) or post-norm norm(x + f(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

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
    """Two projections with a nonlinearity between (Vaswani et al. 2017, section 3.3)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.inner = linear(config.width, config.feed_forward_width)
        self.outer = linear(config.feed_forward_width, config.width)
        self.activation = _ACTIVATIONS[config.activation]
        self.dropout = nn.Dropout(config.activation_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """... x D in and out."""
        outputs: Tensor = self.outer(self.dropout(self.activation(self.inner(x))))
        return outputs


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


def _positions(config: TransformerConfig) -> SinusoidalPositions | LearnedPositions:
    if config.positions == "learned":
        return LearnedPositions(config.max_positions, config.width)
    return SinusoidalPositions()


@functools.lru_cache(maxsize=16)
def _sinusoids(count: int, width: int, device: torch.device) -> Tensor:
    """The table count x width, float32, sines first; computed outside inference mode, as training may share it."""
    with torch.inference_mode(False):
        steps = torch.arange(width // 2, dtype=torch.float64) * (-math.log(10_000.0) / (width // 2))
        angles = torch.arange(count, dtype=torch.float64)[:, None] * steps.exp()
        return torch.cat([angles.sin(), angles.cos()], 1).float().to(device)


@dataclass(frozen=True)
class TransformerState(State):
    """Keys and values of all hypotheses, kept where they were computed.

    A hypothesis that changes its row would have to take its past along; copying that is most of a step's memory
    traffic. Instead, the W keys of each step stand in one row of keys a sentence (position p * W + slot), every
    hypothesis looks at all of them, and a mask leaves it those of its own ancestors.

    Attributes:
        width: W.
        mask_B11S: Where the memory is real.
        crosses: Keys and values of the memory, a layer each (2 x B x H x S x C).
        pasts: Keys and values of the steps, a layer each (P * W positions).
        ancestors_NP: Slot (int64, 0 to W-1) of each row's ancestor at each step.
    """

    width: int
    mask_B11S: Tensor
    crosses: tuple[Tensor, ...]
    pasts: tuple[Past, ...]
    ancestors_NP: Tensor

    @property
    def steps(self) -> int:
        """P."""
        return self.ancestors_NP.size(1)

    def opened(self) -> TransformerState:
        """The state with one more step, at which every row is its own ancestor."""
        rows = torch.arange(self.ancestors_NP.size(0), device=self.ancestors_NP.device)
        return replace(self, ancestors_NP=torch.cat([self.ancestors_NP, rows[:, None] % self.width], 1))

    def self_mask(self) -> Tensor | None:
        """Bool B x 1 x W x P*W, True at a row's ancestors; None for one hypothesis a sentence, which sees all."""
        if self.width == 1:
            return None
        slots = torch.arange(self.width, device=self.ancestors_NP.device)
        own_NPW = self.ancestors_NP[:, :, None] == slots
        return own_NPW.view(-1, 1, self.width, self.steps * self.width)

    def reorder(self, parents_N: Tensor) -> TransformerState:
        """See `State.reorder`; moves the table of ancestors alone while no sentence leaves."""
        state = replace(self, ancestors_NP=self.ancestors_NP.index_select(0, parents_N))
        sentences = moved_sentences(parents_N, self.width, self.mask_B11S.size(0))
        if sentences is None:
            return state
        return replace(
            state,
            mask_B11S=self.mask_B11S.index_select(0, sentences),
            crosses=tuple(cross.index_select(1, sentences) for cross in self.crosses),
            pasts=tuple(past.of_sentences(sentences) for past in self.pasts),
        )
