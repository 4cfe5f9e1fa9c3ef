"""A side's name, its modality and the size of its vocabulary in; what shards, cache and encoder hold of it, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.modalities.base import SIDES, Described, Element, EncoderInput, Modality, Ragged, Side
from seq2seq_core.modalities.table import modality_of


@dataclass(frozen=True)
class DatasetSide:
    """One side of a dataset's rows.

    Attributes:
        name: Which one; its columns are called after it.
        modality: What it is.
        vocabulary: Pieces of its tokenizer; None where it has none.
    """

    name: Side
    modality: Modality
    vocabulary: int | None

    @property
    def length_name(self) -> str:
        """The column with the length of each row."""
        return f"{self.name}_length"

    @property
    def text_name(self) -> str:
        """The column with the text of each row, in validation and test sets, of sides that have text."""
        return f"{self.name}_text"

    @property
    def content(self) -> pa.Field:
        """The column with what an encoder or decoder reads."""
        return pa.field(self.name, self.modality.content_type(self.vocabulary), nullable=False)

    @property
    def histogram_bins(self) -> int:
        """How many bins histograms of its lengths have."""
        return self.modality.longest_counted + 1

    @property
    def notes(self) -> tuple[pa.Field, ...]:
        """The columns with what else is known of each row."""
        return tuple(pa.field(self.note_name(note), kind) for note, kind in self.modality.notes.items())

    def note_name(self, note: str) -> str:
        """The column with a note."""
        return f"{self.name}_{note}"

    @property
    def element(self) -> Element:
        """What the cache holds of each position."""
        return self.modality.element(self.vocabulary)

    @property
    def described(self) -> Described:
        """Its modality, with the settings by which positions are made of shards."""
        return self.modality.described

    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        """All positions of its content column."""
        return self.modality.flat(content)

    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """How many of them each row has."""
        return self.modality.lengths(content)

    @property
    def nothing(self) -> Ragged:
        """One row without a position."""
        dtype, width = self.element
        return Ragged(np.zeros(0 if width == 1 else (0, width), dtype), np.zeros(1, np.int64))

    @property
    def encoder_input(self) -> EncoderInput:
        """What an encoder is given at each position."""
        return self.modality.encoder_input(self.vocabulary)


Sides = Mapping[Side, DatasetSide]
"""Both sides, the source first."""


def sides_of(modalities: Mapping[Side, Described | Modality], vocabularies: Mapping[Side, int]) -> Sides:
    """Both sides, by their modalities and the vocabularies of those that have one.

    Raises:
        DatasetError: This version knows no such modality.
    """
    return {side: DatasetSide(side, modality_of(modalities[side]), vocabularies.get(side)) for side in SIDES}
