"""The table of modalities: a name in, what a side of that name is, out. A new one is a file and a line here."""

from __future__ import annotations

from typing import Annotated

import pydantic

from seq2seq_core.choices import OneOf, by_name
from seq2seq_core.errors import DatasetError
from seq2seq_core.modalities.audio import Audio
from seq2seq_core.modalities.base import Described, Modality
from seq2seq_core.modalities.text import Text

MODALITIES: dict[str, type[Modality]] = by_name(
    "kind",
    Text,
    Audio,
)
DEFAULT = Text()

USUAL = DEFAULT.kind
"""What a side is where nobody says so."""

_ANY = OneOf(MODALITIES, "kind", USUAL, by_name=True)

AnyModality = Annotated[Modality, _ANY]
"""The type of a configuration's field that takes any modality: its name, or its name and settings."""


def modality_of(described: Described | Modality) -> Modality:
    """What a side is; a DatasetError where this version knows no such modality, or not its settings."""
    if isinstance(described, Modality):
        return described
    name = described if isinstance(described, str) else described.get("kind")
    if name not in MODALITIES:
        raise DatasetError("no such modality", found=name, expected=f"one of {', '.join(sorted(MODALITIES))}")
    try:
        return _ANY.read(described)
    except pydantic.ValidationError as error:
        found = " ".join(str(error).split("\n")[1:3])
        raise DatasetError(f"no such settings of the modality {name}", found=found) from None
