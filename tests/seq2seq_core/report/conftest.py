"""A press: published datasets of given texts, in several generations, with tags and rejected rows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sentencepiece

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    Manifest,
    ShardEntry,
    SplitEntry,
    TokenizerEntry,
    publish_manifest,
)
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import REJECTED_SCHEMA, shard_schema
from seq2seq_core.dataset.writer import length_histogram, merge_histograms, write_rejected, write_shard
from seq2seq_core.tokenizer.model import Tokenizer
from tests.text_sides import text_sides

Rows = Sequence[tuple[str, str]]
TAG = ">>de<<"


@pytest.fixture(scope="session")
def tagging_tokenizer() -> Tokenizer:
    """Characters and a few words, bytes for all else, and a control piece."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a dog runs", "a cat sleeps", "ein Hund rennt", "eine Katze schläft"] * 20),
        model_writer=model,
        vocab_size=330,
        model_type="bpe",
        byte_fallback=True,
        control_symbols=[TAG],
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        minloglevel=2,
        num_threads=1,
    )
    return Tokenizer(model.getvalue())


class Press:
    """Publishes datasets below one folder."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.root = str(folder / "dataset")
        self.tokenizer = tokenizer

    def table(self, rows: Rows, first_line: int = 1, *, tagged: bool = False) -> pa.Table:
        """A training shard; `tagged` puts the control piece before every source."""
        ids = [self.tokenizer.encode([row[side] for row in rows]) for side in (0, 1)]
        tag = self.tokenizer._processor.piece_to_id(TAG)
        schema = shard_schema(text_sides(self.tokenizer.vocabulary_size), with_text=False)
        sources = [[tag, *row.tolist()] if tagged else row.tolist() for row in ids[0]]
        columns: dict[str, Any] = {
            "id": pa.array([bytes(16)] * len(rows), pa.binary(16)),
            "origin": pa.array(["corpus.en"] * len(rows)).cast(schema.field("origin").type),
            "line": pa.array(range(first_line, first_line + len(rows)), pa.int64()),
            "source": pa.array(sources, schema.field("source").type),
            "target": pa.array([row.tolist() for row in ids[1]], schema.field("target").type),
        }
        for side in ("source", "target"):
            columns[f"{side}_length"] = pc.list_value_length(columns[side]).cast(pa.int32())
        return pa.table([columns[name] for name in schema.names], schema=schema)

    def publish(
        self,
        generations: Sequence[Sequence[pa.Table]],
        rejected: Sequence[Sequence[dict[str, Any]]] = (),
        duplicates: int = 0,
    ) -> Dataset:
        """Each generation's training shards, and files of rejected rows."""
        storage.publish_bytes(storage.join(self.root, "tokenizer/joint.model"), self.tokenizer.data)
        entry = TokenizerEntry(
            path="tokenizer/joint.model",
            digest=self.tokenizer.digest,
            vocabulary_size=self.tokenizer.vocabulary_size,
        )
        shards: list[ShardEntry] = [
            write_shard(
                self.root,
                f"train/g{g}-{i}.parquet",
                table,
                text_sides(self.tokenizer.vocabulary_size),
                row_group_tokens=60,
                generation=g,
            )
            for g, tables in enumerate(generations)
            for i, table in enumerate(tables)
        ]
        everything = pa.concat_tables([table for tables in generations for table in tables])
        lengths = [length_histogram(everything.column(f"{side}_length").to_numpy()) for side in ("source", "target")]
        counts: dict[str, int] = {}
        for row in (row for rows in rejected for row in rows):
            counts[row["rule"]] = counts.get(row["rule"], 0) + 1
        kept = everything.num_rows
        manifest = Manifest(
            fingerprint="f",
            source_tokenizer=entry,
            target_tokenizer=entry,
            splits={
                "train": SplitEntry(
                    shards=tuple(shards),
                    source_lengths=merge_histograms([lengths[0]]),
                    target_lengths=merge_histograms([lengths[1]]),
                )
            },
            rejected=tuple(
                write_rejected(
                    self.root, f"rejected/part-{i}.parquet", pa.Table.from_pylist(list(rows), REJECTED_SCHEMA)
                )
                for i, rows in enumerate(rejected)
            ),
            ledger=Ledger(
                read=kept + duplicates + sum(counts.values()),
                kept={"train": kept},
                duplicates=duplicates,
                rejected=counts,
            ),
            inputs=(),
            configuration={},
            software={},
        )
        publish_manifest(self.root, manifest)
        return Dataset.open(self.root)


@pytest.fixture
def press(tmp_path: Path, tagging_tokenizer: Tokenizer) -> Press:
    return Press(tmp_path, tagging_tokenizer)
