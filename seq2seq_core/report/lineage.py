"""A model folder in, where the model comes from, as a list of facts, out."""

from __future__ import annotations

from typing import Any

from seq2seq_core.inference.manifest import describe_model
from seq2seq_core.report.data import Fact


def lineage_of(model: str) -> tuple[Fact, ...]:
    """Digest and lineage of a model; a ModelError when there is none."""
    entry = describe_model(model)
    values: dict[str, Any] = {"model": entry.url, "model digest": entry.digest, **(entry.lineage or {})}
    return tuple(Fact(name.replace("_", " "), _show(value)) for name, value in values.items() if value)


def _show(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
