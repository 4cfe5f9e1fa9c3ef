"""How many tokens a second one core turns from shards into padded batches, beside a loop over rows.

    python tests/benchmarks/loader.py [--rows 1000000] [--shards 16]

Rows have log-normal lengths and Zipf-distributed ids. Rates count real tokens of both sides, EOS included, padding
not; seconds are processor seconds, so that other work on the machine does not count. The loop over rows does what a
map-style dataset with a collate function does: one Arrow scalar, one Python list and one tensor a row and side, then
`pad_sequence`; it reads the same batches, from columns that are in memory already.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch.nn.utils.rnn import pad_sequence

from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import Manifest, SplitEntry, TokenizerEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.dataset.schema import shard_name, shard_schema
from seq2seq_core.dataset.writer import write_shard
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID
from tests.text_sides import text_sides

VOCABULARY = 32_000
NAIVE_BATCHES = 20


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--batch-tokens", type=int, default=25_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as folder:
        measure(folder, arguments.rows, arguments.shards, arguments.batch_tokens)


def measure(folder: str, rows: int, shards: int, batch_tokens: int) -> None:
    """The path of a split from rows in memory to padded batches."""
    tables = [table_of(rows // shards, seed) for seed in range(shards)]
    tokens = sum(int(t.column(f"{s}_length").to_numpy().sum()) + len(t) for t in tables for s in ("source", "target"))
    print(f"{rows:,} rows, {tokens:,} tokens, {shards} shards, batches of {batch_tokens:,} tokens, one core\n")
    with timed("write shards (Parquet, zstd)", tokens):
        dataset = dataset_of(folder, tables)
    with timed("decode shards into the cache", tokens) as decoding:
        Columns.open(dataset, "train", Path(folder) / "cache")
    with timed("open the cache (compared once a day)", tokens):
        columns = Columns.open(dataset, "train", Path(folder) / "cache")
    with timed("plan an epoch", tokens) as planning:
        stream = BatchStream(columns.lengths, StreamConfig(batch_tokens=batch_tokens), seed=1)
        stream.start(0)
    loader = Loader(columns, stream, LoaderConfig(prefetch_batches=0), rank=0, world=1)
    with timed("padded batches, an epoch", tokens) as batching:
        positions = padded_positions(loader)
    fast = tokens / batching[0]
    print(f"\nfrom Parquet, first epoch: {rate(tokens / (decoding[0] + planning[0] + batching[0]))}")
    print(f"from the cache, any epoch: {rate(tokens / (planning[0] + batching[0]))}")
    print(f"real tokens among padded positions: {tokens / positions:.1%}")
    slow = naive_rate(tables, stream)
    print(f"\nloop over rows: {rate(slow)}\nratio: {fast / slow:.1f}")


def table_of(rows: int, seed: int) -> pa.Table:
    """A training shard of random rows."""
    random = np.random.default_rng(seed)
    source = np.clip(random.lognormal(3.1, 0.6, rows), 1, 256).astype(np.int32)
    target = np.clip(source * random.lognormal(0.05, 0.2, rows), 1, 256).astype(np.int32)
    schema = shard_schema(text_sides(VOCABULARY), with_text=False)
    values = {
        "id": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(random.bytes(16 * rows))]),
        "origin": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["synthetic"])),
        "line": pa.array(np.arange(1, rows + 1)),
        "source": tokens_of(source, random, schema.field("source").type),
        "target": tokens_of(target, random, schema.field("target").type),
        "source_length": pa.array(source),
        "target_length": pa.array(target),
    }
    return pa.Table.from_arrays([values[name] for name in schema.names], schema=schema)


def tokens_of(lengths: npt.NDArray[np.int32], random: np.random.Generator, kind: pa.DataType) -> pa.ListArray:
    """Rows of Zipf-distributed ids."""
    ids = np.minimum(random.zipf(1.3, int(lengths.sum())) + 3, VOCABULARY - 1).astype(np.uint16)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(ids), type=kind)


def dataset_of(root: str, tables: list[pa.Table]) -> Dataset:
    """The tables as the training split of a dataset."""
    names = [f"train/{shard_name(i, len(tables))}" for i in range(len(tables))]
    shards = tuple(
        write_shard(root, name, table, text_sides(VOCABULARY)) for name, table in zip(names, tables, strict=True)
    )
    tokenizer = TokenizerEntry(path="tokenizer/joint.model", digest="0" * 32, vocabulary_size=VOCABULARY)
    split = SplitEntry(shards=shards, source_lengths=(), target_lengths=())
    manifest = Manifest(
        fingerprint="synthetic",
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        splits={"train": split},
        rejected=(),
        ledger=Ledger(read=split.rows, kept={"train": split.rows}, duplicates=0, rejected={}),
        inputs=(),
        configuration={},
        software={},
    )
    return Dataset(root, manifest)


def padded_positions(loader: Loader) -> int:
    """Make the global steps of an epoch; the positions of their batches."""
    steps = itertools.takewhile(lambda step: step.epoch == 0, loader.steps())
    return sum(b.source_BS.numel() + b.target_out_BT.numel() for step in steps for b in step.micro_batches)


def naive_rate(tables: list[pa.Table], stream: BatchStream) -> float:
    """Tokens a second of a loop over rows."""
    table = pa.concat_tables(tables).select(["source", "target"]).combine_chunks()
    source, target = table.column("source"), table.column("target")
    tokens, begin = 0, time.process_time()
    for position in range(NAIVE_BATCHES):
        batch = naive_batch(source, target, stream.batch(position))
        tokens += sum(int((side != PAD_ID).sum()) for side in (batch[0], batch[2]))
    return tokens / (time.process_time() - begin)


def naive_batch(source: pa.ChunkedArray, target: pa.ChunkedArray, rows: npt.NDArray[np.int64]) -> list[torch.Tensor]:
    """One padded batch, row by row."""
    sources, targets_in, targets_out = [], [], []
    for row in rows.tolist():
        sources.append(torch.tensor([*source[row].as_py(), EOS_ID]))
        ids = target[row].as_py()
        targets_in.append(torch.tensor([BOS_ID, *ids]))
        targets_out.append(torch.tensor([*ids, EOS_ID]))
    return [pad_sequence(side, batch_first=True, padding_value=PAD_ID) for side in (sources, targets_in, targets_out)]


@contextmanager
def timed(what: str, tokens: int) -> Iterator[list[float]]:
    """Print how fast a block was; the list holds its seconds afterwards."""
    seconds: list[float] = []
    begin = time.process_time()
    yield seconds
    seconds.append(time.process_time() - begin)
    print(f"{what:40} {seconds[0]:8.2f} s   {rate(tokens / seconds[0])}")


def rate(tokens_per_second: float) -> str:
    """`12.3 M tokens/s`"""
    return f"{tokens_per_second / 1e6:.2f} M tokens/s"


if __name__ == "__main__":
    main()
