"""A model in, the fastest engine that it and this machine allow out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.interface import EngineConfig, LoadedEngine
from seq2seq_core.errors import ConfigError, ModelError

_log = logging.getLogger(__name__)


class AutoEngineConfig(EngineConfig):
    """Stands for another engine, which is chosen before any work: manifests name that one."""

    kind: Literal["auto"] = Field("auto", description="auto: the fastest that the model and the machine allow")

    def chosen(self, engines: Iterable[type[EngineConfig]], model_root: str, search: SearchConfig) -> EngineConfig:
        """See `EngineConfig.chosen`; says which."""
        speeds = {kind: speed for kind in engines if (speed := kind.speed(model_root, search)) is not None}
        if not speeds:
            raise ModelError(
                "no engine runs this model, or no model stands here",
                where=storage.redact(model_root),
                expected="a folder like RUN/best, one of CTranslate2 (model.bin), or one of Hugging Face (config.json)",
                advice="Check the path.",
            )
        fastest = max(speeds, key=lambda kind: speeds[kind]).model_validate({})
        _log.info("the engine is %s", fastest.kind)
        return fastest

    def load(self, model_root: str) -> LoadedEngine:
        """Refused: a ConfigError, as nothing was chosen."""
        where = storage.redact(model_root)
        raise ConfigError("the engine was not chosen yet", where=where, found=f"engine.kind {self.kind}")
