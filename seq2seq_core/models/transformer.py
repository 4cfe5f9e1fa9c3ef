"""The Transformer (Vaswani et al. 2017): token ids in, logits out, all positions at once or step by step.

Shape legend: B sentences, S source positions, T target positions, D model width.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.blueprint import Blueprint, Naming
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Memory
from seq2seq_core.models.layers.attention import Place
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings, TieEmbeddings
from seq2seq_core.models.layers.positions import (
    LearnedPositions,
    NoPositions,
    Positions,
    RelativePositions,
    SinusoidalPositions,
)
from seq2seq_core.models.layers.rows import length_mask
from seq2seq_core.models.layers.sublayers import (
    Activation,
    DecoderLayer,
    EncoderLayer,
    FeedForwardKind,
    Layers,
    Norm,
    Normalization,
    normalization,
)
from seq2seq_core.models.transformer_decoder import TransformerDecoder
from seq2seq_core.tokenizer.vocabulary import BOS_ID, PAD_ID


class TransformerConfig(ArchitectureConfig):
    """The shape of a Transformer; the defaults are the base model of Vaswani et al. 2017 with pre-norm."""

    younger: ClassVar[frozenset[str]] = frozenset(
        {"normalization", "feed_forward", "embedding_width", "distinct_layers", "share_layers"}
    )

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
    normalization: Normalization = Field(
        "layer", description="layer: by mean and variance; rms: by the root of the mean square alone"
    )
    feed_forward: FeedForwardKind = Field(
        "plain",
        description="gated: the nonlinearity is multiplied by one more projection (with swish: SwiGLU); as large as a "
        "plain one where feed_forward_width is two thirds",
    )
    positions: Literal["sinusoidal", "learned", "rotary", "relative"] = Field(
        "sinusoidal",
        description="how positions are told apart; rotary: queries and keys are turned by them; relative: a number for "
        "each distance and head",
    )
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
    embedding_width: int | None = Field(
        None, ge=1, le=1 << 16, description="tables are so narrow, and a matrix widens them to width; null: as width"
    )
    distinct_layers: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="layers of encoder and decoder with weights of their own, which the others use again in turn; "
        "null: all",
    )
    share_layers: bool = Field(
        False, description="decoder layers use self-attention and feed-forward of the encoder's: needs as many of them"
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
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(
                f"width ({self.width}) / heads ({self.heads}) is odd, positions ({self.positions}) need it even"
            )
        if self.share_layers and self.positions == "relative":
            raise ValueError(
                "share_layers and positions (relative): encoder and decoder look different ways, take rotary"
            )
        if self.share_layers and self.encoder_layers != self.decoder_layers:
            raise ValueError(
                f"share_layers needs as many decoder_layers ({self.decoder_layers}) as encoder_layers "
                f"({self.encoder_layers})"
            )
        return self

    @property
    def distinct(self) -> tuple[int, int]:
        """Layers of encoder and decoder with weights of their own."""
        most = self.distinct_layers or 1000
        return min(self.encoder_layers, most), min(self.decoder_layers, most)

    @property
    def layer_counts(self) -> dict[str, int]:
        """See `ArchitectureConfig.layer_counts`."""
        return dict(zip(("encoder_layers", "decoder_layers"), self.distinct, strict=True))

    @property
    def dimensions(self) -> dict[str, int]:
        """See `ArchitectureConfig.dimensions`."""
        widths = {"width": self.width, "feed_forward_width": self.feed_forward_width, "heads": self.heads}
        widths |= {"embedding_width": self.embedding_width} if self.embedding_width else {}
        return widths | ({"max_positions": self.max_positions} if self.positions == "learned" else {})

    @property
    def blueprint(self) -> Blueprint:
        """See `ArchitectureConfig.blueprint`."""
        is_pre, is_learned = self.norm == "pre", self.positions == "learned"
        source = "target" if self.tie_embeddings == "all" else "source"
        output = "output" if self.tie_embeddings == "none" else "target"
        naming = Naming(
            layers=(self.encoder_layers, self.decoder_layers),
            distinct=self.distinct,
            is_shared=self.share_layers,
            final_norms=is_pre,
            has_shifts=self.normalization == "layer",
            is_gated=self.feed_forward == "gated",
            positions=self.positions,
            source=f"embeddings.{source}",
            output=f"embeddings.{output}",
            is_factored=self.embedding_width is not None,
        )
        return Blueprint(
            *naming.layers,
            heads=self.heads,
            pre_norm=is_pre,
            activation=self.activation,
            weights=dict(naming.weights()),
            learned_positions=self.max_positions if is_learned else None,
            forbidden=(PAD_ID, BOS_ID),
            rms_norm=not naming.has_shifts,
            gated=naming.is_gated,
            rotary=self.positions == "rotary",
            farthest=RelativePositions.FARTHEST if self.positions == "relative" else None,
            widened=naming.widened(),
        )

    def build(self, source: EncoderInput, target_vocabulary: int) -> Transformer:
        """A freshly initialised model; see `Embeddings` for the ConfigError."""
        return Transformer(self, source, target_vocabulary)


class Transformer(TransformerDecoder):
    """Encoder and decoder of `TransformerConfig`."""

    def __init__(self, config: TransformerConfig, source: EncoderInput, target_vocabulary: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(
            source, target_vocabulary, config.width, config.tie_embeddings, config.embedding_width
        )
        self.source_positions = _positions(config, both_ways=True)
        self.target_positions = _positions(config, both_ways=False)
        self.dropout = Dropout(config.dropout)
        places = [_place(config, positions) for positions in (self.source_positions, self.target_positions)]
        encoder = [EncoderLayer(config, place=places[0]) for _ in range(config.distinct[0])]
        likes = encoder if config.share_layers else [None] * config.distinct[1]
        self.encoder = Layers(encoder, config.encoder_layers)
        self.decoder = Layers([DecoderLayer(config, places[1], like) for like in likes], config.decoder_layers)
        pre = config.norm == "pre"
        self.encoder_norm = normalization(config) if pre else nn.Identity()
        self.decoder_norm = normalization(config) if pre else nn.Identity()
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
        for layer in self.encoder.called():
            x_BSD = layer(x_BSD, mask_BS[:, None, None])
        return Memory(self.encoder_norm(x_BSD), mask_BS)

    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        """See `Seq2Seq.forward`; a ModelError when learned positions do not reach."""
        memory = self.encode(source_BS, source_lengths_B)
        outputs_BTD, attention_BTS = self.decode(memory, target_BT, attending=attending)
        outputs_BTE = self.embeddings.narrowed(outputs_BTD)
        return Forward(outputs_BTE, projection=self.embeddings.projection, attention_BTS=attention_BTS)


def _positions(config: TransformerConfig, *, both_ways: bool) -> Positions:
    match config.positions:
        case "learned":
            return LearnedPositions(config.max_positions, config.width)
        case "relative":
            return RelativePositions(config.heads, both_ways=both_ways)
        case "rotary":
            return NoPositions()
        case "sinusoidal":
            return SinusoidalPositions()


def _place(config: TransformerConfig, positions: Positions) -> Place:
    """How self-attention tells positions apart, where the vectors do not."""
    if isinstance(positions, RelativePositions):
        return positions
    return "rotary" if config.positions == "rotary" else None
