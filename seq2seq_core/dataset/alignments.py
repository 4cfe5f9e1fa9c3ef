"""The column of aligned words: what the cache holds of it, as of a side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.schema import ALIGNMENT
from seq2seq_core.modalities.base import Element


@dataclass(frozen=True)
class AlignedWords:
    """Which words of each training row mean the same: a position is a word of the source, and one of the target."""

    name: ClassVar[str] = ALIGNMENT.name
    described: ClassVar[str] = "pairs"

    @property
    def element(self) -> Element:
        """Two numbers."""
        return Element(np.dtype("<i4"), 2)

    def flat(self, column: pa.ChunkedArray) -> npt.NDArray[np.int32]:
        """All pairs of a column (pairs x 2)."""
        chunks = [np.zeros(0, np.int32), *(chunk.flatten().to_numpy() for chunk in column.chunks)]
        return np.concatenate(chunks).reshape(-1, 2)

    def lengths(self, column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """The pairs of each row."""
        numbers: npt.NDArray[np.int64] = pc.list_value_length(column).to_numpy().astype(np.int64)
        return numbers // 2
