"""THE TABLE of engines: the name of one in, its entry out. A new one is a file beside this, and a word here."""

from __future__ import annotations

from typing import Annotated

from seq2seq_core.choices import OneOf, by_name
from seq2seq_core.engines.auto import AutoEngineConfig
from seq2seq_core.engines.ctranslate2_engine import CTranslate2EngineConfig
from seq2seq_core.engines.echo import EchoEngineConfig
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.engines.torch_engine import TorchEngineConfig
from seq2seq_core.engines.whisper import WhisperEngineConfig

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
