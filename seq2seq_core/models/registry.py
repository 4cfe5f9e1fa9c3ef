"""THE TABLE of model families: the name of one in, its entry out. A new one is a file beside this, and a word here."""

from __future__ import annotations

from typing import Annotated

from seq2seq_core.choices import OneOf, by_name
from seq2seq_core.modalities.base import EncoderInput
from seq2seq_core.models.interface import ArchitectureConfig, Seq2Seq
from seq2seq_core.models.rnn import RnnConfig
from seq2seq_core.models.speech import SpeechConfig
from seq2seq_core.models.transformer import TransformerConfig

FAMILIES: dict[str, type[ArchitectureConfig]] = by_name(
    "family",
    RnnConfig,
    SpeechConfig,
    TransformerConfig,
)
DEFAULT = TransformerConfig()
ONE_OF_ALL = OneOf(FAMILIES, "family", DEFAULT.family)

AnyArchitecture = Annotated[ArchitectureConfig, ONE_OF_ALL]
"""The type of a configuration's field that takes any architecture."""


def build_model(architecture: ArchitectureConfig, source: EncoderInput, target_vocabulary: int) -> Seq2Seq:
    """A freshly initialised model in training mode; a ConfigError when what it is given does not fit."""
    return architecture.build(source, target_vocabulary)
