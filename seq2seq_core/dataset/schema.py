"""The columns of a shard: what every Parquet file of a dataset folder holds, and in which types."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from seq2seq_core.dataset.sides import Sides
from seq2seq_core.records import ALIGNMENTS, REJECTS_OF_FILES

FORMAT_VERSION = 1

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

ID_BYTES = 16


SCORE = "score"
"""The score of each training row (float64), where a preparation keeps it: minus infinity where a corpus has none."""


ALIGNMENT = pa.field("alignment", ALIGNMENTS, nullable=False)
"""Which words of each training row mean the same, where a preparation keeps it; nothing where a corpus says nothing."""


def shard_schema(sides: Sides, *, with_text: bool, with_score: bool = False, with_alignment: bool = False) -> pa.Schema:
    """The schema of a shard; validation and test shards also keep the normalised text of sides that have it, training
    shards score and alignment where that is asked for, and all keep what sides have to note of each row.

    Two sides of text: id, origin, line, source, target, source_length, target_length (source_text, target_text; score,
    alignment).
    """
    fields = [
        pa.field("id", pa.binary(ID_BYTES), nullable=False),
        pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        *(side.content for side in sides.values()),
        *(pa.field(side.length_name, pa.int32(), nullable=False) for side in sides.values()),
    ]
    texts = [side.text_name for side in sides.values() if side.modality.has_text] if with_text else []
    notes = [note for side in sides.values() for note in side.notes]
    more = [pa.field(SCORE, pa.float64(), nullable=False)] * with_score + [ALIGNMENT] * with_alignment
    return pa.schema([*fields, *(pa.field(name, pa.string(), nullable=False) for name in texts), *notes, *more])


REJECTED_SCHEMA = REJECTS_OF_FILES
"""Rejected rows: origin, line (from 1), rule, value, threshold, source, target (null where its bytes are no text)."""


def shard_name(index: int, count: int, stem: str = "part", suffix: str = ".parquet") -> str:
    """`part-00003-of-00016.parquet`"""
    return f"{stem}-{index:05d}-of-{count:05d}{suffix}"
