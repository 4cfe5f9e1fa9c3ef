"""THE TABLE of engines: the name of one in, its entry out. A new one is a file beside this, and a word here."""

from __future__ import annotations

from typing import Annotated

from seq2seq_core import storage
from seq2seq_core.choices import OneOf, by_name
from seq2seq_core.engines.auto import AutoEngineConfig
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.engines.whisper import WhisperEngineConfig
from seq2seq_core.errors import ModelError

ENGINES: dict[str, type[EngineConfig]] = by_name(
    "kind",
    TorchEngineConfig,
    CTranslate2EngineConfig,
    AutoEngineConfig,
    EchoEngineConfig,
    WhisperEngineConfig,
)
DEFAULT = TorchEngineConfig()

AnyEngine = Annotated[EngineConfig, OneOf(ENGINES, "kind", DEFAULT.kind)]
"""The type of a configuration's field that takes any engine."""


def for_another(engine: EngineConfig, model_root: str, error: ModelError, *, hears: bool) -> ModelError:
    """What to tell where an engine cannot run a model: which other one would, or else the error that it met."""
    fitting = (name for name, kind in ENGINES.items() if kind.hears == hears and kind.is_for(model_root))
    name = next(fitting, engine.kind)
    if name == engine.kind:
        return error
    return ModelError(
        "the model is for another engine",
        where=storage.redact(model_root),
        found=f"engine.kind {engine.kind}: {error.problem}",
        advice=f"Say --engine.kind {name}.",
    )
