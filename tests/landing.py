"""Rows and folders in; files that land there, and what datasets hold of them, out: for tests of what follows zones."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipelines.commands.follow.prepare import FollowPrepareConfig
from pipelines.commands.prepare import PrepareConfig
from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest

WORDS = ("man", "woman", "dog", "runs", "sleeps", "in", "on", "park", "street", "red", "green", "under", "bridge")
AT_ONCE = {"settle_seconds": 0, "look_seconds": 0.02}
Rows = list[tuple[str, str]]


def rows_of(seed: int, count: int = 60) -> Rows:
    """Some rows; each seed begins with some of the one before."""
    known, own = random.Random(seed - 1), random.Random(seed)
    drawn = [known] * (count // 6) + [own] * (count - count // 6)
    sources = [" ".join(draw.choices(WORDS, k=draw.randint(4, 9))) for draw in drawn]
    return [(source, source[::-1]) for source in sources]


def land(folder: Path, name: str, rows: Rows) -> Path:
    """A table that appears in one step."""
    folder.mkdir(exist_ok=True, parents=True)
    hidden = folder / f".{name}.tsv"
    hidden.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    return hidden.rename(folder / f"{name}.tsv")


def values(folder: Path, output: Path, **more: Any) -> dict[str, Any]:
    """The keys of a preparation of all tables of a folder."""
    tokenizer = {"vocabulary_size": 300, "type": "bpe"}
    return {"path": str(folder / "*.tsv"), "output": str(output), "shards": 2, "tokenizer": tokenizer} | more


def batch(folder: Path, output: Path, **more: Any) -> PrepareConfig:
    return configuration.build(PrepareConfig, values(folder, output, **more) | {"report": False})


def following(folder: Path, output: Path, **more: Any) -> FollowPrepareConfig:
    """The keys of following it, until there has been nothing to do for a moment."""
    pace = {"interval_seconds": 0.01, "landing": AT_ONCE, "idle_seconds": 0.2}
    return configuration.build(FollowPrepareConfig, pace | values(folder, output, **more))


def ids(output: Path | str, columns: tuple[str, ...] = ("id",)) -> list[tuple[Any, ...]]:
    """What names each training row of a dataset, sorted."""
    manifest = load_manifest(str(output))
    paths = [storage.join(str(output), shard.path) for shard in manifest.splits["train"].shards]
    tables = [pq.read_table(io.BytesIO(storage.read_bytes(path)), columns=list(columns)) for path in paths]
    return sorted(tuple(map(_plain, row.values())) for table in tables for row in table.to_pylist())


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
