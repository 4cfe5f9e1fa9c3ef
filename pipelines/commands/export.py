"""`seq2seq export`: a model folder in, the same model in the form of an engine, ready to be taken elsewhere, out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.commands.call import Call
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.config import Config, Location
from seq2seq_core.engines.table import ENGINES
from seq2seq_core.errors import ConfigError
from seq2seq_core.terminal import say

_EXPORTERS = {name: kind for name, kind in ENGINES.items() if kind.exports}


class ExportConfig(Config):
    """Which model, in which form, and where it goes."""

    model: Location = Field(description="model folder, a path or URL; one of Hugging Face, too")
    output: Location = Field(description="folder of the exported model, a path or URL")
    to: str = Field(next(iter(_EXPORTERS)), min_length=1, description=f"the engine: {', '.join(_EXPORTERS)}")
    quantization: Literal["float32", "float16", "bfloat16", "int16", "int8"] = Field(
        "float32", description="of the weights; int8 is the smallest"
    )


def main(call: Call) -> int:
    """A model in another form."""
    config = call.load(ExportConfig)
    if config.to not in _EXPORTERS:
        raise ConfigError("models are not exported to it", where="to", found=config.to, expected=", ".join(_EXPORTERS))
    engine = configuration.build(_EXPORTERS[config.to], {"quantization": config.quantization})
    size = engine.export(config.model, config.output)
    say(f"{storage.redact(config.output)}: {size / 1e6:,.1f} MB, weights in {config.quantization}")
    return 0
