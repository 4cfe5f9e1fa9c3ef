"""A dataset and a cache of its columns in; the rows that stand in both, and the cache's files, out."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from seq2seq_core.data.column_cache import open_shards
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset

FILES = ("source.values", "source.offsets", "target.values", "target.offsets")
Sides = tuple[list[list[int]], list[list[int]]]


def shards_of(dataset: Dataset) -> tuple[ShardEntry, ...]:
    return dataset.split("train").shards


def read(dataset: Dataset, cache: Path, shards: Sequence[ShardEntry] | None = None) -> Sides:
    """All rows of both sides of the training shards."""
    (source, target), runs = open_shards(dataset, shards_of(dataset) if shards is None else shards, cache)
    places = runs.places(np.arange(runs.rows)).tolist()
    rows = [[side.values[slice(*side.offsets[p : p + 2])].tolist() for p in places] for side in (source, target)]
    return rows[0], rows[1]


def truth(dataset: Dataset) -> Sides:
    tables = [dataset.read_shard(shard) for shard in shards_of(dataset)]
    source, target = (list(chain(*(t.column(side).to_pylist() for t in tables))) for side in ("source", "target"))
    return source, target


def folder_of(cache: Path) -> Path:
    (folder,) = (cache / "columns-3").iterdir()
    return folder


def without_shards(dataset: Dataset) -> Dataset:
    shutil.rmtree(Path(dataset.root) / "train")
    return dataset


def age(cache: Path, seconds: float = 86_401) -> None:
    """As if the files had last been compared some time ago."""
    path = folder_of(cache) / "checked.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"time": time.time() - seconds}))
