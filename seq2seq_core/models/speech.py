"""Speech models: filter banks in, logits of text out, by an attention decoder that CTC helps to learn.

Watanabe et al. 2017 ("Hybrid CTC/attention architecture for end-to-end speech recognition") is the method; the
encoders are a Conformer (Gulati et al. 2020), a Transformer (Dong, Xu and Xu 2018), and the pyramid of listen, attend
and spell (Chan et al. 2016).

Shape legend: B rows, S frames, or encoder states of a memory, T target positions, V target vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from seq2seq_core.errors import ConfigError
from seq2seq_core.modalities.base import EncoderInput, Vectors
from seq2seq_core.models.hearing.augment import SpecAugmentConfig
from seq2seq_core.models.hearing.ctc import CtcHead
from seq2seq_core.models.hearing.encoders import SpeechEncoder
from seq2seq_core.models.hearing.front import FrontEnd
from seq2seq_core.models.hearing.pyramid import halvings
from seq2seq_core.models.hearing.shape import EncoderKind, PositionKind
from seq2seq_core.models.interface import ArchitectureConfig, Decoded, Forward, Memory, Seq2Seq
from seq2seq_core.models.layers.dropout import Dropout
from seq2seq_core.models.layers.embeddings import Embeddings
from seq2seq_core.models.layers.positions import SinusoidalPositions
from seq2seq_core.models.layers.recurrence import Cell
from seq2seq_core.models.layers.sublayers import Activation, DecoderLayer, FeedForwardKind, Layers, Norm, Normalization
from seq2seq_core.models.rnn_decoder import AttentionKind, RnnDecoder
from seq2seq_core.models.transformer_decoder import TransformerDecoder

_SIZES: dict[str, dict[str, int]] = {"lstm": {"width": 512, "encoder_layers": 4, "decoder_layers": 2}}
"""Defaults of encoders that are not built like the others; those of Chan et al. 2016."""


class SpeechConfig(ArchitectureConfig):
    """The shape of a speech model; the defaults are a small Conformer with a Transformer decoder."""

    family: Literal["speech"] = Field("speech", description="speech: filter banks in, text out")
    encoder: EncoderKind = Field(
        "conformer",
        description="conformer, transformer: with a Transformer decoder; lstm: listen, attend and spell, with a "
        "recurrent decoder, and unless they are given width 512, 4 encoder and 2 decoder layers",
    )
    width: int = Field(256, ge=1, le=1 << 16, description="width of embeddings and of every layer")
    encoder_layers: int = Field(12, ge=1, le=1000, description="layers of the encoder")
    decoder_layers: int = Field(6, ge=1, le=1000, description="layers of the decoder")
    heads: int = Field(4, ge=1, le=1 << 16, description="attention heads; width must be a multiple; not for lstm")
    feed_forward_width: int = Field(
        1024, ge=1, le=1 << 18, description="inner width of the feed-forward layers; not for lstm"
    )
    subsampling: Literal[2, 4, 6, 8] = Field(
        4, description="frames an encoder state stands for; lstm reads pairs of pairs, and so takes no 6"
    )
    front_end: FrontEnd = Field(
        "conv2d",
        description="convolutions over time and frequency (conv2d), or time alone (conv1d, faster); not for lstm",
    )
    front_channels: int = Field(64, ge=1, le=1 << 16, description="channels of conv2d")
    positions: PositionKind = Field("relative", description="how the encoder tells positions apart; not for lstm")
    convolution_kernel: int = Field(31, ge=1, le=1 << 12, description="positions a Conformer's convolution sees; odd")
    activation: Activation = Field("swish", description="nonlinearity of the feed-forward layers; not for lstm")
    attention: AttentionKind = Field(
        "multiplicative", description="of the recurrent decoder: additive (Bahdanau et al. 2015) or multiplicative"
    )
    input_feeding: bool = Field(True, description="of the recurrent decoder: give the last context to the next step")
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout of embeddings and after every sublayer")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights; not for lstm")
    activation_dropout: float = Field(0.0, ge=0, lt=1, description="dropout inside feed-forward layers; not for lstm")
    tie_embeddings: Literal["none", "target"] = Field(
        "target", description="target: target table and output projection are one"
    )
    ctc_weight: float = Field(
        0.3, ge=0, lt=1, description="share of the CTC loss of the encoder in what is minimised; 0: no CTC head"
    )
    augment: SpecAugmentConfig | None = Field(
        SpecAugmentConfig(), description="SpecAugment in training; null: frames are seen as they are"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_its_encoder(cls, values: Any) -> Any:
        return {**_SIZES.get(str(values.get("encoder")), {}), **values} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _numbers_fit(self) -> SpeechConfig:
        is_recurrent = self.encoder in _SIZES
        if self.width % 2:
            raise ValueError(f"width ({self.width}) is odd, encoder ({self.encoder}) needs it even")
        if is_recurrent and self.subsampling.bit_count() != 1:
            raise ValueError(f"subsampling ({self.subsampling}) is no power of 2, encoder ({self.encoder}) needs one")
        if is_recurrent and self.encoder_layers < halvings(self.subsampling):
            raise ValueError(
                f"encoder_layers ({self.encoder_layers}) are too few for subsampling ({self.subsampling}), which takes "
                f"{halvings(self.subsampling)}"
            )
        if not is_recurrent and self.width % self.heads:
            raise ValueError(f"width ({self.width}) is not a multiple of heads ({self.heads})")
        if self.convolution_kernel % 2 == 0:
            raise ValueError(f"convolution_kernel ({self.convolution_kernel}) is even, and has no middle")
        return self

    normalization: ClassVar[Normalization] = "layer"
    feed_forward: ClassVar[FeedForwardKind] = "plain"

    @property
    def layer_counts(self) -> dict[str, int]:
        """See `ArchitectureConfig.layer_counts`."""
        return {"encoder_layers": self.encoder_layers, "decoder_layers": self.decoder_layers}

    @property
    def dimensions(self) -> dict[str, int]:
        """See `ArchitectureConfig.dimensions`."""
        if self.encoder in _SIZES:
            return {"width": self.width}
        numbers = {"width": self.width, "feed_forward_width": self.feed_forward_width, "heads": self.heads}
        conv2d = {"front_channels": self.front_channels} if self.front_end == "conv2d" else {}
        kernel = {"convolution_kernel": self.convolution_kernel} if self.encoder == "conformer" else {}
        return numbers | conv2d | kernel

    @property
    def norm(self) -> Norm:
        """Of all layers."""
        return "pre"

    @property
    def cell(self) -> Cell:
        """Of the recurrent decoder."""
        return "lstm"

    @property
    def embedding_width(self) -> int:
        """Of the recurrent decoder."""
        return self.width

    def build(self, source: EncoderInput, target_vocabulary: int) -> Seq2Seq:
        """A freshly initialised model; a ConfigError where the source is none of vectors."""
        if not isinstance(source, Vectors):
            raise ConfigError(
                "a speech model reads vectors, such as frames of audio",
                where="model.family",
                found=f"a source of {source.vocabulary} symbols",
                advice="Name a family for text, or prepare a dataset whose source_modality is audio.",
            )
        return _DECODERS.get(self.encoder, SpeechTransformer)(self, source.width, target_vocabulary)


class Hearing(Seq2Seq):
    """The encoder's half of a speech model, and its CTC head; a subclass makes its parts."""

    embeddings: Embeddings
    encoder: nn.Module
    ctc: CtcHead | None

    @abstractmethod
    def decode(self, memory: Memory, target_BT: Tensor, *, attending: bool) -> Decoded:
        """Outputs, of which logits of the next token after each target id are made, and attention where asked for."""

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """See `Seq2Seq.encode`."""
        return Memory(*self.encoder(source_BS, source_lengths_B))

    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        """See `Seq2Seq.forward`; the auxiliary loss is that of CTC."""
        memory = self.encode(source_BS, source_lengths_B)
        auxiliary = None if self.ctc is None else self.ctc.loss(memory.states_BSD, memory.mask_BS, target_BT)
        outputs_BTE, attention_BTS = self.decode(memory, target_BT, attending=attending)
        return Forward(outputs_BTE, auxiliary, self.embeddings.projection, attention_BTS)

    def frame_scores(self, memory: Memory) -> Tensor | None:
        """See `Seq2Seq.frame_scores`."""
        return None if self.ctc is None else self.ctc.scores(memory.states_BSD)

    def _listen(self, config: SpeechConfig, target_vocabulary: int) -> None:
        """What both kinds of decoders have beside them."""
        self.subsampling = config.subsampling
        self.auxiliary_weight = config.ctc_weight
        self.ctc = CtcHead(config.width, target_vocabulary) if config.ctc_weight else None


class SpeechTransformer(TransformerDecoder, Hearing):
    """A Conformer or Transformer encoder, and the decoder of a Transformer."""

    def __init__(self, config: SpeechConfig, bins: int, target_vocabulary: int) -> None:
        super().__init__()
        self.embeddings = Embeddings(None, target_vocabulary, config.width, config.tie_embeddings)
        self.target_positions = SinusoidalPositions()
        self.dropout = Dropout(config.dropout)
        self.encoder = SpeechEncoder(config, bins)
        self.decoder = Layers((DecoderLayer(config) for _ in range(config.decoder_layers)), config.decoder_layers)
        self.decoder_norm = nn.LayerNorm(config.width)
        self._listen(config, target_vocabulary)


class ListenAttendSpell(RnnDecoder, Hearing):
    """A pyramid of LSTM layers, and a recurrent decoder with attention (Chan et al. 2016)."""

    def __init__(self, config: SpeechConfig, bins: int, target_vocabulary: int) -> None:
        embeddings = Embeddings(None, target_vocabulary, config.embedding_width, config.tie_embeddings)
        super().__init__(config, embeddings, SpeechEncoder(config, bins))
        self._listen(config, target_vocabulary)


_DECODERS = {"lstm": ListenAttendSpell}
