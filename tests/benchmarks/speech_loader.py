"""How fast one core turns shards of speech into padded batches of frames: shards of FLAC beside shards of frames.

    python tests/benchmarks/speech_loader.py MANIFEST.jsonl [--batch-frames 64000]

The manifest is prepared twice. The first epoch fills the loader's cache: it makes frames of FLAC, or takes those that
are there; all later ones read the cache, which is the same for both. Rates are hours of audio for each hour of one
core (processor seconds, so that other work on the machine does not count).
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pyarrow as pa
import torch

from pipelines.commands import prepare
from seq2seq_core import config as configuration
from seq2seq_core.data.columns import Columns
from seq2seq_core.data.epoch_order import StreamConfig
from seq2seq_core.data.loader import Loader, LoaderConfig
from seq2seq_core.data.stream import BatchStream
from seq2seq_core.dataset.reader import Dataset

STORES = ("flac", "features")
FRAMES_AN_HOUR = 360_000


def main() -> None:
    """A row for each store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", help="utterances of a few seconds")
    parser.add_argument("--batch-frames", type=int, default=64_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    print(f"{'shards of':12}{'hours':>8}{'MB/hour':>10}{'fill the cache':>17}{'batches of it':>17}{'first epoch':>15}")
    for store in STORES:
        with tempfile.TemporaryDirectory() as folder:
            print(row(store, arguments.manifest, Path(folder), arguments.batch_frames))
    print("the last three: hours of audio for each hour of one core")


def row(store: str, manifest: str, folder: Path, batch_frames: int) -> str:
    """What one store takes."""
    dataset = prepared(store, manifest, folder)
    shards = dataset.split("train").shards
    hours = sum(shard.source_tokens for shard in shards) / FRAMES_AN_HOUR
    begin = time.process_time()
    columns = Columns.open(dataset, "train", folder / "cache")
    filled = time.process_time()
    stream = BatchStream(columns.lengths, StreamConfig(batch_tokens=batch_frames, max_source_tokens=3000), seed=1)
    loader = Loader(columns, stream, LoaderConfig(max_tokens_per_device=16_000, prefetch_batches=0), rank=0, world=1)
    steps = itertools.takewhile(lambda step: step.epoch == 0, loader.steps())
    batches = sum(len(step.micro_batches) for step in steps)
    ended = time.process_time()
    rates = [hours * 3600 / seconds for seconds in (filled - begin, ended - filled, ended - begin)]
    size = sum(shard.bytes for shard in shards) / hours / 1e6
    columns_of = f"{rates[0]:>17,.0f}{rates[1]:>17,.0f}{rates[2]:>15,.0f}"
    return f"{store:12}{hours:>8.2f}{size:>10.1f}{columns_of}" if batches else f"{store}: no batches"


def prepared(store: str, manifest: str, folder: Path) -> Dataset:
    """The manifest as a dataset."""
    values = {
        "corpora": [{"path": str(Path(manifest).resolve()), "format": "speech_manifest"}],
        "source_modality": {"kind": "audio", "store": store},
        "tokenizer": {"type": "bpe", "vocabulary_size": 100, "byte_fallback": False, "character_coverage": 1.0},
        "output": str(folder / "dataset"),
        "report": False,
    }
    prepare.run(configuration.build(prepare.PrepareConfig, values))
    return Dataset.open(str(folder / "dataset"))


if __name__ == "__main__":
    main()
