"""Which engine runs and how, kept apart from the engines so that choosing one imports no other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from seq2seq_core.config import Config


class TorchEngineConfig(Config):
    """PyTorch: every architecture, on CPU and GPU."""

    kind: Literal["torch"] = Field("torch", description="torch: every model; echo: the input back, without a model")
    device: str = Field("auto", description="auto (a GPU if there is one), cpu, cuda or cuda:N")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of weights and arithmetic")
    max_batch_tokens: int | None = Field(
        None,
        ge=1,
        le=1 << 31,
        description="tokens of a batch: padded sources, and as many again for each hypothesis of the beam; "
        "null: 8192 on CPU, 131072 on GPU",
    )
    threads: int | None = Field(
        None, ge=1, le=4096, description="CPU threads of this process; null leaves them as they are"
    )


class EchoEngineConfig(Config):
    """Gives the source pieces back as output: for tests, and to measure a pipeline without its model."""

    kind: Literal["echo"] = Field("echo", description="torch: every model; echo: the input back, without a model")
    fail_on_piece: int | None = Field(
        None, ge=0, le=1 << 31, description="fail on sequences that hold this piece id, to try out what happens then"
    )


def _kind(values: object) -> object:
    """The tag of an engine's configuration, torch where none is given."""
    if isinstance(values, Mapping):
        return values.get("kind", "torch")
    return getattr(values, "kind", None)


EngineConfig = Annotated[
    Annotated[TorchEngineConfig, Tag("torch")] | Annotated[EchoEngineConfig, Tag("echo")], Discriminator(_kind)
]
