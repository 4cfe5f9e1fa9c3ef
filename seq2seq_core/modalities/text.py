"""A side of text: lines in; normalised text, then token ids of its tokenizer, then padded rows that end in EOS, out."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.modalities.base import (
    Doubt,
    Element,
    EncoderInput,
    Modality,
    Normalized,
    Padded,
    Ragged,
    Raw,
    Symbols,
)
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig, normalize
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.vocabulary import EOS_ID, PAD_ID, token_type


class Text(Modality):
    """Text, cut into pieces of a vocabulary."""

    raw: ClassVar[Raw] = "text"
    has_text: ClassVar[bool] = True

    kind: Literal["text"] = "text"

    def staged_type(self) -> pa.DataType:
        """See `Modality`; large, as the rows of a shard may have more than 2 GiB of text together."""
        return pa.large_string()

    def normalized(self, raw: pa.Array, settings: NormalizeConfig) -> Normalized:
        """See `Modality`."""
        text = normalize(TextColumn(raw), settings)
        return Normalized(text.column, text)

    def staged(self, normalized: pa.Array) -> pa.Array:
        """See `Modality`."""
        return normalized.cast(pa.large_string())

    def keys(self, rows: pa.Array) -> pa.Array:
        """See `Modality`: the text itself."""
        return rows

    def content_type(self, vocabulary: int | None) -> pa.DataType:
        """See `Modality`: piece ids, without BOS and EOS."""
        return pa.list_(pa.field("item", token_type(_known(vocabulary)), nullable=False))

    def content(self, staged: pa.Array, tokenizer: Tokenizer | None) -> pa.Array:
        """See `Modality`."""
        if tokenizer is None:
            raise TypeError("a side of text has a tokenizer")
        return tokenizer.encode_column(staged.cast(pa.string()))

    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """See `Modality`: pieces."""
        counted: npt.NDArray[np.int64] = pc.list_value_length(content).to_numpy().astype(np.int64)
        return counted

    def doubt(self, content: pa.ChunkedArray, vocabulary: int | None) -> Doubt | None:
        """See `Modality`: ids beyond the vocabulary."""
        highest = pc.max(pc.list_flatten(content)).as_py()
        if highest is None or highest < _known(vocabulary):
            return None
        return Doubt("largest token id", highest, f"less than {vocabulary}")

    def element(self, vocabulary: int | None) -> Element:
        """See `Modality`."""
        return Element(np.dtype(str(token_type(_known(vocabulary)))).newbyteorder("<"))

    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        """See `Modality`."""
        ids: npt.NDArray[Any] = pc.list_flatten(content).to_numpy()
        return ids

    def padded(self, rows: Ragged) -> Padded:
        """See `Modality`: int64, each row ended by EOS and filled up with PAD."""
        width = int(rows.lengths.max(initial=0)) + 1
        padded = np.full((len(rows.lengths), width), PAD_ID, np.int64)
        padded[np.arange(width) < rows.lengths[:, None]] = rows.flat
        padded[np.arange(len(rows.lengths)), rows.lengths] = EOS_ID
        return Padded(padded, rows.lengths + 1)

    def encoder_input(self, vocabulary: int | None) -> EncoderInput:
        """See `Modality`."""
        return Symbols(_known(vocabulary))


def _known(vocabulary: int | None) -> int:
    if vocabulary is None:
        raise TypeError("a side of text has a tokenizer")
    return vocabulary
