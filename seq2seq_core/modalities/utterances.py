"""Columns of encoded sound files as readers give them in; the staged column of utterances, field by field, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from seq2seq_core.audio.measures import Measures
from seq2seq_core.audio.terms import AUDIO_VALUE
from seq2seq_core.errors import InputError

MEASURED = ("seconds", "silent", "clipped", "level")
"""What is measured of an utterance, of the fields of `Measures`."""

STAGED = pa.struct(
    [
        pa.field("samples", pa.large_binary(), nullable=False),
        pa.field("digest", pa.binary(16), nullable=False),
        pa.field("path", pa.string()),
        pa.field("speaker", pa.string()),
        *(pa.field(name, pa.float32(), nullable=False) for name in MEASURED),
        pa.field("speed", pa.float32(), nullable=False),
    ]
)
"""An utterance: 16 bits of one channel in a coding (`CODINGS`), xxh3-128 of its samples, what messages call it, who
speaks (both null where unknown), what was measured of the recording, and how many times as fast as that it is.
"""


class Utterance(NamedTuple):
    """What becomes of a file: 16 bits of one channel in a coding, the digest of the samples, and their measures."""

    samples: bytes
    digest: bytes
    measures: Measures


NOTHING = Utterance(b"", bytes(16), Measures(0.0, 1.0, 0.0, 0.0))
"""What stands in the place of one that cannot be decoded."""


def fields_of(raw: pa.Array) -> dict[str, pa.Array]:
    """The fields of what a reader gave: `bytes`, and others where they are known.

    Raises:
        InputError: The values are no sound files.
    """
    kind = raw.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return {"bytes": raw}
    if not pa.types.is_struct(kind) or kind.get_field_index("bytes") < 0:
        raise InputError(
            "the source holds no audio",
            found=f"type {kind}",
            expected=f"type {AUDIO_VALUE}",
            advice="Is source_field the column with the bytes of audio files?",
        )
    return {kind.field(position).name: raw.field(position) for position in range(kind.num_fields)}


def texts_of(fields: Mapping[str, pa.Array], name: str) -> list[str | None]:
    """The texts of a field, which readers may give as bytes; None where there is none, or nothing in it."""
    if name not in fields:
        return [None] * len(fields["bytes"])
    found = fields[name].to_pylist()
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in found]
    return [None if text is None else str(text) or None for text in texts]


def struct_of(columns: Mapping[str, Any]) -> pa.StructArray:
    """A staged column of its fields, by name."""
    arrays = [pa.array(columns[field.name], field.type) for field in STAGED]
    return pa.StructArray.from_arrays(arrays, fields=list(STAGED))


def digest_of(pcm: npt.NDArray[np.int16]) -> bytes:
    """xxh3-128 of samples."""
    return xxhash.xxh3_128_digest(pcm.astype("<i2", copy=False).tobytes())
