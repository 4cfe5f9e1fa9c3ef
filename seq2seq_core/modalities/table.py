"""The table of modalities: a name in, what a side of that name is, out. A new one is a file and a line here."""

from __future__ import annotations

from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.base import Modality
from seq2seq_core.modalities.text import Text

MODALITIES: dict[str, Modality] = {modality.name: modality for modality in (Text(),)}

USUAL = Text.name
"""What a side is where nobody says so."""


def modality_of(name: str) -> Modality:
    """What a side is; a DatasetError where this version knows no such modality."""
    if name not in MODALITIES:
        raise DatasetError("no such modality", found=name, expected=f"one of {', '.join(sorted(MODALITIES))}")
    return MODALITIES[name]
