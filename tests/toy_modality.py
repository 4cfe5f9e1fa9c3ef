"""Rows of points in, in any of their forms; the next form out: a modality without text that no table knows but tests'.

raw       lists of points, each of three numbers of any kind
staged    the same as float32, which is also what a shard holds
padded    float32, B x S x 3, filled up with zeros; a row without points has one of zeros
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from seq2seq_core.modalities.base import (
    Doubt,
    Element,
    EncoderInput,
    Modality,
    Normalized,
    Padded,
    Ragged,
    Raw,
    Vectors,
)
from seq2seq_core.modalities.table import MODALITIES
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.model import Tokenizer

WIDTH = 3

_POINT = pa.list_(pa.field("item", pa.float32(), nullable=False), WIDTH)
_POINTS = pa.list_(pa.field("item", _POINT, nullable=False))


NAME = "points"


class Points(Modality):
    """Points in space, three float32 each."""

    raw: ClassVar[Raw] = "values"
    has_text: ClassVar[bool] = False

    kind: Literal["points"] = "points"

    def staged_type(self) -> pa.DataType:
        return _POINTS

    def normalized(self, raw: pa.Array, settings: NormalizeConfig) -> Normalized:
        return Normalized(raw.cast(_POINTS), TextColumn(pa.repeat("", len(raw))))

    def staged(self, normalized: pa.Array) -> pa.Array:
        return normalized

    def keys(self, rows: pa.Array) -> pa.Array:
        """The bytes of all numbers of each row."""
        data = self.flat(pa.chunked_array([rows], _POINTS)).tobytes()
        point = WIDTH * np.dtype(np.float32).itemsize
        offsets = np.concatenate([[0], np.cumsum(_counted(rows) * point)]).astype(np.int32)
        return pa.Array.from_buffers(pa.binary(), len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(data)])

    def content_type(self, vocabulary: int | None) -> pa.DataType:
        return _POINTS

    def content(self, staged: pa.Array, tokenizer: Tokenizer | None) -> pa.Array:
        return staged

    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        return _counted(content)

    def doubt(self, content: pa.ChunkedArray, vocabulary: int | None) -> Doubt | None:
        """Numbers that are none."""
        flat = self.flat(content)
        wrong = flat[~np.isfinite(flat)]
        return Doubt("number", str(wrong[0]), "finite numbers") if wrong.size else None

    def element(self, vocabulary: int | None) -> Element:
        return Element(np.dtype("<f4"), WIDTH)

    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        numbers: npt.NDArray[Any] = pc.list_flatten(pc.list_flatten(content)).to_numpy()
        return numbers.reshape(-1, WIDTH)

    def padded(self, rows: Ragged) -> Padded:
        positions = max(1, int(rows.lengths.max(initial=0)))
        padded = np.zeros((len(rows.lengths), positions, WIDTH), np.float32)
        padded[np.arange(positions) < rows.lengths[:, None]] = rows.flat
        return Padded(padded, np.maximum(rows.lengths, 1))

    def encoder_input(self, vocabulary: int | None) -> EncoderInput:
        return Vectors(WIDTH)


def register(patch: pytest.MonkeyPatch) -> None:
    """Enter points in the table, until the patch is undone."""
    patch.setitem(MODALITIES, NAME, Points)


def _counted(points: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    counted: npt.NDArray[np.int64] = pc.list_value_length(points).to_numpy(zero_copy_only=False).astype(np.int64)
    return counted
