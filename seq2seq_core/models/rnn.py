"""Recurrent models with attention (Bahdanau et al. 2015, Luong et al. 2015): token ids in, logits out.

Shape legend: B sentences, S source positions, T target positions, D width of memory and decoder.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.interface import ArchitectureConfig, Forward, Memory
from seq2seq_core.models.layers.embeddings import Embeddings, TieEmbeddings
from seq2seq_core.models.layers.recurrence import Cell, RecurrentLayer, mirrored_rows
from seq2seq_core.models.layers.rows import length_mask
from seq2seq_core.models.rnn_decoder import AttentionKind, RnnDecoder


class RnnConfig(ArchitectureConfig):
    """The shape of a recurrent model."""

    family: Literal["rnn"] = Field("rnn", description="rnn: recurrent encoder and decoder with attention")
    cell: Cell = Field("lstm", description="recurrent cell")
    embedding_width: int = Field(
        256, ge=1, le=1 << 16, description="width of embeddings and of the readout before the output"
    )
    width: int = Field(
        512, ge=1, le=1 << 16, description="hidden units of each decoder layer, and of each encoder layer in all"
    )
    encoder_layers: int = Field(1, ge=1, le=1000, description="layers of the encoder")
    decoder_layers: int = Field(1, ge=1, le=1000, description="layers of the decoder; the first asks the attention")
    bidirectional: bool = Field(True, description="read the source both ways, half of width each")
    attention: AttentionKind = Field(
        "multiplicative", description="additive (Bahdanau et al. 2015) or multiplicative (Luong et al. 2015, general)"
    )
    input_feeding: bool = Field(True, description="give the last context to the next step; off trains faster")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout of embeddings, between layers and of the readout")
    tie_embeddings: TieEmbeddings = Field(
        "target",
        description="target: target table and output projection are one; all: source too (needs a joint vocabulary)",
    )

    @model_validator(mode="after")
    def _widths_fit(self) -> RnnConfig:
        if self.bidirectional and self.width % 2:
            raise ValueError(
                f"width ({self.width}) is odd, bidirectional ({self.bidirectional}) needs it even: set one more or less"
            )
        return self

    @property
    def layer_counts(self) -> dict[str, int]:
        """See `ArchitectureConfig.layer_counts`."""
        return {"encoder_layers": self.encoder_layers, "decoder_layers": self.decoder_layers}

    @property
    def dimensions(self) -> dict[str, int]:
        """See `ArchitectureConfig.dimensions`."""
        return {"embedding_width": self.embedding_width, "width": self.width}

    def build(self, source: EncoderInput, target_vocabulary: int) -> RnnSeq2Seq:
        """A freshly initialised model; see `Embeddings` for the ConfigError."""
        return RnnSeq2Seq(self, source, target_vocabulary)


class RnnSeq2Seq(RnnDecoder):
    """Encoder and decoder of `RnnConfig`."""

    def __init__(self, config: RnnConfig, source: EncoderInput, target_vocabulary: int) -> None:
        embedding, width = config.embedding_width, config.width
        embeddings = Embeddings(source, target_vocabulary, embedding, config.tie_embeddings)
        encoder = nn.ModuleList(
            RecurrentLayer(config.cell, embedding if layer == 0 else width, width, bidirectional=config.bidirectional)
            for layer in range(config.encoder_layers)
        )
        super().__init__(config, embeddings, encoder)
        self.encoder_parts = ("encoder", f"embeddings.{embeddings.source_name}")

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """See `Seq2Seq.encode`."""
        mask_BS = length_mask(source_lengths_B, source_BS.size(1))
        rows = mirrored_rows(source_lengths_B, mask_BS)
        x_BSD = self.dropout(self.embeddings.embed_source(source_BS))
        for layer in self._encoder_layers():
            x_BSD = self.dropout(layer(x_BSD, rows))
        return Memory(x_BSD, mask_BS)

    def forward(
        self, source_BS: Tensor, source_lengths_B: Tensor, target_BT: Tensor, *, attending: bool = False
    ) -> Forward:
        """See `Seq2Seq.forward`; attention is known, asked for or not."""
        del attending
        outputs_BTE, attention_BTS = self.decode(self.encode(source_BS, source_lengths_B), target_BT)
        return Forward(outputs_BTE, projection=self.embeddings.projection, attention_BTS=attention_BTS)

    def _encoder_layers(self) -> list[RecurrentLayer]:
        return list(self.encoder.children())  # type: ignore[arg-type]  # modules forget the types of their children
