"""The Transformer (Vaswani et al. 2017): token ids in, logits out, all positions at once or step by step.

Shape legend: B sentences, S source positions, T target positions, D model width.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.blueprint import Blueprint, named_weights
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Memory
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings, TieEmbeddings
from seq2seq_core.models.layers.positions import LearnedPositions, SinusoidalPositions
from seq2seq_core.models.layers.rows import length_mask
from seq2seq_core.models.layers.sublayers import Activation, DecoderLayer, EncoderLayer, Norm
from seq2seq_core.models.transformer_decoder import TransformerDecoder
from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID


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
    activation: Activation = Field("relu", description="nonlinearity of the feed-forward layers")
    norm: Norm = Field("pre", description="layer normalisation before or after each sublayer")
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
            width = self.heads * max(1, round(self.width / self.heads))
            heads = next(heads for heads in range(self.heads, 0, -1) if self.width % heads == 0)
            raise ValueError(
                f"width ({self.width}) is not a multiple of heads ({self.heads}): "
                f"set width to {width}, or heads to {heads}"
            )
        if self.positions == "sinusoidal" and self.width % 2:
            raise ValueError(
                f"width ({self.width}) is odd, positions ({self.positions}) need it even: set one more or less"
            )
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

    @property
    def blueprint(self) -> Blueprint:
        """See `ArchitectureConfig.blueprint`."""
        layers = (self.encoder_layers, self.decoder_layers)
        is_pre, is_learned = self.norm == "pre", self.positions == "learned"
        source = "target" if self.tie_embeddings == "all" else "source"
        output = "output" if self.tie_embeddings == "none" else "target"
        return Blueprint(
            *layers,
            heads=self.heads,
            pre_norm=is_pre,
            activation=self.activation,
            weights=named_weights(
                layers,
                final_norms=is_pre,
                learned_positions=is_learned,
                source=f"embeddings.{source}",
                output=f"embeddings.{output}",
            ),
            learned_positions=self.max_positions if is_learned else None,
            forbidden=(PAD_ID, BOS_ID),
        )

    def build(self, source: EncoderInput, target_vocabulary: int) -> Transformer:
        """A freshly initialised model; see `Embeddings` for the ConfigError."""
        return Transformer(self, source, target_vocabulary)


class Transformer(TransformerDecoder):
    """Encoder and decoder of `TransformerConfig`."""

    def __init__(self, config: TransformerConfig, source: EncoderInput, target_vocabulary: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(source, target_vocabulary, config.width, config.tie_embeddings)
        self.source_positions = _positions(config)
        self.target_positions = _positions(config)
        self.dropout = Dropout(config.dropout)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        pre = config.norm == "pre"
        self.encoder_norm = nn.LayerNorm(config.width) if pre else nn.Identity()
        self.decoder_norm = nn.LayerNorm(config.width) if pre else nn.Identity()
        self.encoder_parts = (
            "encoder",
            "encoder_norm",
            "source_positions",
            f"embeddings.{self.embeddings.source_name}",
        )
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
        return Forward(self.decode(memory, target_BT), projection=self.embeddings.projection)


def _positions(config: TransformerConfig) -> SinusoidalPositions | LearnedPositions:
    if config.positions == "learned":
        return LearnedPositions(config.max_positions, config.width)
    return SinusoidalPositions()
