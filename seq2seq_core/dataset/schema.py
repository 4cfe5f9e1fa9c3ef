"""The columns of a shard: what every Parquet file of a dataset folder holds, and in which types."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from seq2seq_core.records import REJECTS_OF_FILES
from seq2seq_core.tokenizer.vocabulary import token_type

FORMAT_VERSION = 1

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")

ID_BYTES = 16


def text_schema(source_vocabulary: int, target_vocabulary: int, *, with_text: bool) -> pa.Schema:
    """The schema of a text shard; validation and test shards also keep the normalised text as references."""
    fields = [
        pa.field("id", pa.binary(ID_BYTES), nullable=False),
        pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("source", pa.list_(pa.field("item", token_type(source_vocabulary), nullable=False)), nullable=False),
        pa.field("target", pa.list_(pa.field("item", token_type(target_vocabulary), nullable=False)), nullable=False),
        pa.field("source_length", pa.int32(), nullable=False),
        pa.field("target_length", pa.int32(), nullable=False),
    ]
    if with_text:
        fields += [
            pa.field("source_text", pa.string(), nullable=False),
            pa.field("target_text", pa.string(), nullable=False),
        ]
    return pa.schema(fields)


REJECTED_SCHEMA = REJECTS_OF_FILES
"""Rejected rows: origin, line (from 1), rule, value, threshold, source, target (null where its bytes are no text)."""


def shard_name(index: int, count: int, stem: str = "part", suffix: str = ".parquet") -> str:
    """`part-00003-of-00016.parquet`"""
    return f"{stem}-{index:05d}-of-{count:05d}{suffix}"
