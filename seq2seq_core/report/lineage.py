"""A model folder in, where the model comes from, as a list of facts, out."""

from __future__ import annotations

from typing import Any

from seq2seq_core import storage
from seq2seq_core.models.card import read_card
from seq2seq_core.report.data import Fact


def lineage_of(model: str) -> tuple[Fact, ...]:
    """Digest and lineage of a model; a ModelError when there is none."""
    card, lineage = read_card(model)
    values: dict[str, Any] = {"model": storage.redact(model), "model digest": card.digest, **lineage.told}
    return tuple(Fact(name.replace("_", " "), _show(value)) for name, value in values.items() if value)


def _show(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
