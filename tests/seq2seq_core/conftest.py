"""A published dataset of random rows in several shards, with texts to validate on and rejected rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    Manifest,
    ShardEntry,
    SplitEntry,
    load_manifest,
    publish_manifest,
)
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import REJECTED_SCHEMA, Split, shard_name, shard_schema
from seq2seq_core.dataset.writer import length_histogram, write_rejected, write_shard
from tests.reading import reading  # noqa: F401
from tests.text_sides import text_sides

TableMaker = Callable[..., pa.Table]
DatasetMaker = Callable[..., Dataset]


def make_table(rows: int, seed: int = 0, *, vocabulary: int = 44, with_text: bool = False) -> pa.Table:
    """Random rows of a text shard, some of them without tokens."""
    random = np.random.default_rng(seed)
    schema = shard_schema(text_sides(vocabulary), with_text=with_text)
    values: dict[str, Any] = {
        "id": pa.array([random.bytes(16) for _ in range(rows)], pa.binary(16)),
        "origin": pa.array([f"corpus-{i % 3}.en" for i in range(rows)], pa.string()).cast(schema.field("origin").type),
        "line": pa.array(np.arange(1, rows + 1)),
    }
    for side in ("source", "target"):
        lengths = random.integers(0, 12, rows).astype(np.int32)
        ids = random.integers(4, vocabulary, int(lengths.sum()))
        kind = schema.field(side).type
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        values[side] = pa.ListArray.from_arrays(offsets, pa.array(ids).cast(kind.value_type), type=kind)
        values[f"{side}_length"] = pa.array(lengths)
        values[f"{side}_text"] = pa.array([f"{side} text {i}" for i in range(rows)])
    return pa.Table.from_arrays([values[name] for name in schema.names], schema=schema)


@pytest.fixture
def random_table() -> TableMaker:
    return make_table


@pytest.fixture
def random_dataset(tmp_path: Path, tiny_dataset: str) -> DatasetMaker:
    """A factory: rows of the training shards in, the dataset opened out."""

    def make(rows: tuple[int, ...] = (40, 0, 25), root: str = str(tmp_path / "dataset")) -> Dataset:
        tokenizer = load_manifest(tiny_dataset).source_tokenizer
        model = storage.read_bytes(storage.join(tiny_dataset, tokenizer.path))
        storage.publish_bytes(storage.join(root, tokenizer.path), model)
        tables = [make_table(count, seed) for seed, count in enumerate(rows)]
        splits: dict[Split, SplitEntry] = {
            "train": _split(root, "train", tables),
            "valid": _split(root, "valid", [make_table(7, 99, with_text=True)]),
        }
        rejected = pa.Table.from_pylist(
            [
                {"origin": "corpus-0.en", "line": i, "rule": rule, "value": "0", "threshold": "1"}
                for i, rule in enumerate(["empty", "empty", "ratio"])
            ],
            schema=REJECTED_SCHEMA,
        )
        manifest = Manifest(
            fingerprint="f",
            source_tokenizer=tokenizer,
            target_tokenizer=tokenizer,
            splits=splits,
            rejected=(write_rejected(root, "rejected/part-0.parquet", rejected),),
            ledger=Ledger(
                read=sum(rows) + 7 + 3 + 5,
                kept={"train": sum(rows), "valid": 7},
                duplicates=5,
                rejected={"empty": 2, "ratio": 1, "long": 0},
            ),
            inputs=(),
            configuration={},
            software={},
        )
        publish_manifest(root, manifest)
        return Dataset.open(root)

    return make


def _split(root: str, name: Split, tables: list[pa.Table]) -> SplitEntry:
    shards: list[ShardEntry] = [
        write_shard(root, f"{name}/{shard_name(i, len(tables))}", table, text_sides(44), row_group_tokens=100)
        for i, table in enumerate(tables)
    ]
    source, target = (
        length_histogram(np.concatenate([table.column(f"{side}_length").to_numpy() for table in tables]))
        for side in ("source", "target")
    )
    return SplitEntry(shards=tuple(shards), source_lengths=source, target_lengths=target)
