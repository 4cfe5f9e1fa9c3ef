"""Numbers of rows in; a published dataset whose sources are points in space, and whose targets are words, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.ledger import Ledger
from seq2seq_core.dataset.manifest import (
    Manifest,
    SplitEntry,
    TokenizerEntry,
    publish_manifest,
)
from seq2seq_core.dataset.schema import ID_BYTES, Split, shard_name, shard_schema
from seq2seq_core.dataset.sides import Sides, sides_of
from seq2seq_core.dataset.writer import length_histogram, write_shard
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig
from seq2seq_core.tokenizer.training import train as train_tokenizer
from tests.toy_modality import NAME, WIDTH, register

WORDS = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"]
NOTHING = "nichts"
"""What is said of a row without points; there are some."""


def publish_points(
    root: str, rows: dict[Split, int], seed: int = 0, *, vocabulary: int = 30, repeats: int = 1
) -> Manifest:
    """Each of up to 5 points lies near one of ten places, and each place has a word; points are a known modality.

    Of each point there are `repeats` in a row, as a sound lasts for some frames.
    """
    random = np.random.default_rng(seed)
    places = random.normal(size=(len(WORDS), WIDTH))
    numbers = [random.integers(0, len(WORDS), random.integers(0, 6)) for _ in range(sum(rows.values()))]
    texts = [" ".join(WORDS[n] for n in row) or NOTHING for row in numbers]
    numbers = [np.repeat(row, repeats) for row in numbers]
    points = [(places[row] + random.normal(scale=0.01, size=(len(row), WIDTH))).tolist() for row in numbers]
    tokenizer = Tokenizer(
        train_tokenizer(iter(texts), TokenizerConfig(vocabulary_size=vocabulary, byte_fallback=False))
    )
    storage.publish_bytes(storage.join(root, "tokenizer/target.model"), tokenizer.data)
    size = tokenizer.vocabulary_size
    splits: dict[Split, SplitEntry] = {}
    begin = 0
    for split, count in rows.items():
        part = slice(begin, begin + count)
        splits[split] = _publish_split(root, split, tokenizer, points[part], texts[part])
        begin += count
    manifest = Manifest(
        fingerprint=storage.digest_bytes(str((rows, seed)).encode()),
        modalities={"source": NAME, "target": "text"},
        source_tokenizer=None,
        target_tokenizer=TokenizerEntry(path="tokenizer/target.model", digest=tokenizer.digest, vocabulary_size=size),
        splits=splits,
        rejected=(),
        ledger=Ledger(read=sum(rows.values()), kept=rows, duplicates=0, rejected={}),
        inputs=(),
        configuration={},
        software={},
    )
    publish_manifest(root, manifest)
    return manifest


def _publish_split(root: str, split: Split, tokenizer: Tokenizer, points: list[Any], texts: list[str]) -> SplitEntry:
    """Two shards."""
    sides = sides_of({"source": NAME, "target": "text"}, {"target": tokenizer.vocabulary_size})
    tables = [
        _table(split, tokenizer, sides, points[part], texts[part])
        for part in (slice(0, len(texts) // 3), slice(len(texts) // 3, None))
    ]
    shards = tuple(
        write_shard(root, f"{split}/{shard_name(index, 2)}", table, sides, row_group_tokens=200)
        for index, table in enumerate(tables)
    )
    source, target = (
        length_histogram(np.concatenate([table.column(side.length_name).to_numpy() for table in tables]))
        for side in sides.values()
    )
    return SplitEntry(shards=shards, source_lengths=source, target_lengths=target)


def _table(split: Split, tokenizer: Tokenizer, sides: Sides, points: list[Any], texts: list[str]) -> pa.Table:
    source = sides["source"].modality
    contents = [source.content(pa.array(points, source.staged_type()), None), tokenizer.encode_column(pa.array(texts))]
    lengths = [
        side.modality.lengths(pa.chunked_array([content]))
        for side, content in zip(sides.values(), contents, strict=True)
    ]
    names = [storage.digest_bytes(repr(row).encode())[:ID_BYTES].encode() for row in points]
    values: list[Any] = [
        pa.array(names, pa.binary(ID_BYTES)),
        pa.DictionaryArray.from_arrays(pa.array([0] * len(texts), pa.int32()), pa.array(["points"])),
        pa.array(range(1, len(texts) + 1), pa.int64()),
        *contents,
        *(pa.array(length, pa.int32()) for length in lengths),
    ]
    with_text = split != "train"
    values += [pa.array(texts)] if with_text else []
    return pa.Table.from_arrays(values, schema=shard_schema(sides, with_text=with_text))


@pytest.fixture(scope="session")
def published_points(tmp_path_factory: pytest.TempPathFactory) -> str:
    """400 training and 24 validation rows."""
    root = str(tmp_path_factory.mktemp("points") / "dataset")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        publish_points(root, {"train": 400, "valid": 24})
    return root


@pytest.fixture
def points_dataset(
    published_points: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The folder of that dataset, while points are a known modality."""
    register(monkeypatch)
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path_factory.mktemp("cache")))
    return published_points


def with_points(folder: Path) -> Path:
    """A program that trains as `python -m seq2seq_core.training` does, and knows of points."""
    program = folder / "train_points.py"
    program.write_text(
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from seq2seq_core.modalities.table import MODALITIES\n"
        "from tests.toy_modality import NAME, Points\n"
        "MODALITIES[NAME] = Points\n"
        'runpy.run_module("seq2seq_core.training", run_name="__main__")\n'
    )
    return program
