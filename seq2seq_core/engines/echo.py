"""Piece ids in, the same piece ids out: the engine without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import EngineConfig, LoadedEngine, TokenIds
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.engines.tones import ToneRecognizer
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.modalities.base import SIDES
from seq2seq_core.models.card import FileEntry, ModelCard, check_reads_text, place, read_card, read_files
from seq2seq_core.tokenizer.model import Tokenizer


class EchoEngineConfig(EngineConfig):
    """Gives the source pieces back as output: for tests, and to measure a pipeline without its model.

    Where there is sound to hear, it hears a word in each tone (`engines.tones`), whatever the model.
    """

    hears: ClassVar[bool] = True

    kind: Literal["echo"] = Field("echo", description="echo: the input back, without a model")
    fail_on_piece: int | None = Field(
        None, ge=0, le=1 << 31, description="fail on sequences that hold this piece id, to try out what happens then"
    )

    def load(self, model_root: str) -> LoadedEngine:
        """See `EngineConfig.load`; what is echoed is in the source language, so its tokenizer is all that is read."""
        card, files = read_files(model_root, lambda card: [_source_tokenizer(model_root, card)])
        entry = _source_tokenizer(model_root, card)
        tokenizers = dict.fromkeys(SIDES, Tokenizer(files[entry.path], place(model_root, entry)))
        return LoadedEngine(EchoEngine(self), tokenizers, card.digest, card.source_text)

    def describe_recognizer(self, model_root: str) -> SpeechModel:
        """See `EngineConfig.describe_recognizer`."""
        card, lineage = read_card(model_root)
        return SpeechModel(card.digest, lineage.told)

    def load_recognizer(self, model_root: str) -> Recognizer:
        """See `EngineConfig.load_recognizer`."""
        return ToneRecognizer(self.describe_recognizer(model_root).digest)


class EchoEngine:
    """Returns each sequence as its one, certain hypothesis.

    Attributes:
        calls: Number of sequences of every call so far.
    """

    def __init__(self, config: EchoEngineConfig) -> None:
        self.calls: list[int] = []
        self._fail_on_piece = config.fail_on_piece

    def generate(
        self, sequences: Sequence[TokenIds], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine.generate`; a ModelError when a sequence holds the piece to fail on."""
        if any(demand.tokens for demand in demands):
            raise ConfigError("an echo says what it hears, and nothing can be demanded of it", found="engine.kind echo")
        self.calls.append(len(sequences))
        if self._fail_on_piece is not None and any(self._fail_on_piece in sequence for sequence in sequences):
            raise ModelError("the echo engine was asked to fail on this piece", found=self._fail_on_piece)
        return [[_echo(sequence, options)] for sequence in sequences]

    def score(self, sequences: Sequence[TokenIds], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """See `Engine.score`: a ConfigError."""
        del sequences, targets
        raise ConfigError("an echo gives nothing a probability", found="engine.kind echo")


def _source_tokenizer(root: str, card: ModelCard) -> FileEntry:
    """A ModelError where the source is no text: there are no pieces to give back."""
    check_reads_text(root, card)
    return card.tokenizers["source"]


def _echo(sequence: TokenIds, options: SearchConfig) -> Hypothesis:
    attention = np.eye(len(sequence) + 1, dtype=np.float32) if options.attention else None
    places = np.arange(len(sequence) + 1, dtype=np.int32)
    spans = np.stack((places[:-1], places[1:]), 1) if options.align else None
    return Hypothesis(
        sequence,
        score=0.0,
        log_probability=0.0,
        finished=True,
        attention=attention,
        spans=spans,
        token_scores=np.zeros(len(sequence)),
        alignment=places[:-1] if options.alignment else None,
    )
