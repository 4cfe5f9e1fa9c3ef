"""An architecture's configuration in, a model of its family out; a new family adds its arm to the union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Tag

from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.interface import Seq2Seq
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.transformer import TransformerConfig


def _family(values: object) -> object:
    """The family a configuration is of, a Transformer where none is named."""
    if isinstance(values, Mapping):
        return values.get("family", "transformer")
    return getattr(values, "family", None)


ArchitectureConfig = Annotated[
    Annotated[RnnConfig, Tag("rnn")] | Annotated[TransformerConfig, Tag("transformer")], Discriminator(_family)
]


def build_model(architecture: ArchitectureConfig, source: EncoderInput, target_vocabulary: int) -> Seq2Seq:
    """A freshly initialised model in training mode; a ConfigError when what it is given does not fit."""
    return architecture.build(source, target_vocabulary)
