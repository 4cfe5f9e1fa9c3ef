"""Which model transcribes, and how: a configuration in, a recogniser out."""

from __future__ import annotations

from typing import Any, Self

import pydantic
from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.audio.voice import VoiceConfig, chosen
from seq2seq_core.config import Config, Location
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines import table as engines
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.engines.recognition import Recognizer, SpeechModel
from seq2seq_core.engines.table import ENGINES, AnyEngine, for_another
from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.manifest import ModelEntry
from seq2seq_core.inference.speech.chunks import ChunkConfig
from seq2seq_core.inference.speech.words.gates import GateConfig


class TranscriberConfig(Config):
    """A model that hears, and the way it is used."""

    model: Location = Field(description="model folder, a path or URL")
    search: SearchConfig = Field(SearchConfig(), description="how outputs are searched")
    channel: int | None = Field(
        None, ge=0, lt=1 << 16, description="the channel of recordings that is heard, from 0; null mixes all"
    )
    voice: VoiceConfig = Field(VoiceConfig(), description="where somebody speaks")
    chunks: ChunkConfig = Field(ChunkConfig(), description="how speech is cut for the model")
    gate: GateConfig = Field(GateConfig(), description="what is believed of what the model says")
    engine: AnyEngine = Field(engines.DEFAULT, description="what runs the model")

    @pydantic.model_validator(mode="after")
    def _asks_for_what_it_keeps(self) -> Self:
        for name, usual in (("n_best", 1), ("attention", False)):
            if getattr(self.search, name) != usual:
                raise ValueError(f"search.{name} is {getattr(self.search, name)}, but transcripts have no place for it")
        return self

    @property
    def resolved(self) -> Self:
        """The same where nothing depends on what is installed on a machine."""
        voice = self.voice.model_copy(update={"method": chosen(self.voice)})
        return self.model_copy(update={"voice": voice})

    def identity(self) -> dict[str, Any]:
        """The options that shape an output, not those that say where and how fast it is made."""
        options = self.resolved.model_dump(mode="json", include={"channel", "voice", "chunks", "gate"})
        return {"search": self.search.identity(), **options, "engine": self.engine.identity()}


def describe_speech_model(config: TranscriberConfig) -> ModelEntry:
    """Digest and lineage of a model, without loading its weights.

    Raises:
        ModelError: There is no finished model, or none that hears.
        ConfigError: The engine has no recognisers.
    """
    try:
        found: SpeechModel = _hearing(config.engine).describe_recognizer(config.model)
    except ModelError as error:
        raise for_another(config.engine, config.model, error, hears=True) from None
    return ModelEntry(url=storage.redact(config.model), digest=found.digest, lineage=found.lineage)


def load_recognizer(config: TranscriberConfig, digest: str | None = None) -> Recognizer:
    """Load the model, which must be of this digest; for other errors see `EngineConfig.load_recognizer`."""
    recognizer = _hearing(config.engine).load_recognizer(config.model)
    if digest is not None and recognizer.digest != digest:
        raise ModelError(
            "the model was replaced while it was in use",
            where=storage.redact(config.model),
            found=f"digest {recognizer.digest}",
            expected=digest,
            advice="Run the same command again.",
        )
    return recognizer


def _hearing(engine: EngineConfig) -> EngineConfig:
    if not engine.hears:
        raise ConfigError(
            "this engine recognises no speech",
            where="engine.kind",
            found=engine.kind,
            expected=" or ".join(name for name, kind in ENGINES.items() if kind.hears),
        )
    return engine
