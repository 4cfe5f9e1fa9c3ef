"""A dataset folder in; a copy that grows by a generation whenever a test likes, and is folded, out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    GenerationEntry,
    Manifest,
    ShardEntry,
    SplitEntry,
    publish_manifest,
)
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.dataset.writer import length_histogram, write_shard


class GrowingRows:
    """A dataset without a preparation: new rows are old ones in another order, so that a small model learns them."""

    def __init__(self, source: str, root: Path) -> None:
        self.root = str(root)
        for path in storage.files_below(source):
            storage.publish_bytes(storage.join(self.root, path), storage.read_bytes(storage.join(source, path)))
        self._publish(self.dataset.split("train").shards, 0)

    @property
    def dataset(self) -> Dataset:
        return Dataset.open(self.root)

    def grow(self, rows: int, seed: int = 0) -> Manifest:
        """Add a generation of so many rows."""
        manifest = self.dataset.manifest
        index, shards = manifest.generations[-1].index + 1, manifest.splits["train"].shards
        random = np.random.default_rng((seed, index))
        table = self.dataset.read_shard(shards[0]).take(random.integers(0, shards[0].rows, rows))
        ids = pa.array([random.bytes(ID_BYTES) for _ in range(rows)], pa.binary(ID_BYTES))
        table = table.set_column(table.schema.get_field_index("id"), table.schema.field("id"), ids)
        shard = write_shard(self.root, f"train/generation-{index:05d}/part.parquet", table, manifest.sides)
        return self._publish((*shards, shard.model_copy(update={"generation": index})), index)

    def fold(self) -> Manifest:
        """Put all rows but those of the first shard into one file, in their order."""
        manifest = self.dataset.manifest
        first, *others = manifest.splits["train"].shards
        table = pa.concat_tables([self.dataset.read_shard(shard) for shard in others])
        shard = write_shard(self.root, "train/folded/part.parquet", table, manifest.sides)
        return self._publish((first, shard), manifest.generations[-1].index)

    def replace(self, seed: int) -> Manifest:
        """Put other rows into the place of those of the first shard."""
        first, *others = self.dataset.manifest.splits["train"].shards
        table = self.dataset.read_shard(first)
        order = np.random.default_rng(seed).permutation(first.rows)
        shard = write_shard(self.root, "train/other/part.parquet", table.take(order), self.dataset.manifest.sides)
        return self._publish((shard, *others), self.dataset.manifest.generations[-1].index)

    def target_tokens(self) -> int:
        """Those of all rows, with EOS."""
        return sum(shard.target_tokens + shard.rows for shard in self.dataset.split("train").shards)

    def _publish(self, shards: tuple[ShardEntry, ...], index: int) -> Manifest:
        manifest = self.dataset.manifest
        ledger = Ledger(read=0, kept={}, duplicates=0, rejected={})
        tables = [self.dataset.read_shard(shard, ["source_length", "target_length"]) for shard in shards]
        lengths = pa.concat_tables(tables)
        histograms = [length_histogram(lengths.column(name).to_numpy()) for name in lengths.column_names]
        train = SplitEntry(shards=shards, source_lengths=histograms[0], target_lengths=histograms[1])
        entries = [GenerationEntry(index=i, fingerprint=str(i), ledger=ledger, inputs=()) for i in range(index + 1)]
        grown = manifest.model_copy(
            update={"splits": {**manifest.splits, "train": train}, "generations": tuple(entries)}
        )
        publish_manifest(self.root, grown)
        return grown
