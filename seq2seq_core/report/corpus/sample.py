"""A dataset in; an even sample of its training rows with their texts, or the rows at given places, out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.manifest import RejectedEntry, ShardEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.modalities.base import SIDES
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import PieceKind, read_facts


class Place(NamedTuple):
    """A row of a file of the dataset; rows count from 0."""

    entry: ShardEntry | RejectedEntry
    row: int


@dataclass(frozen=True)
class Side:
    """One side of R sampled rows.

    Attributes:
        name: `source` or `target`.
        texts: R texts, as the tokenizer gives them back; control pieces (language tags) leave no text.
        kinds: uint8, a `PieceKind` for each of all tokens.
        ids: int64, the piece of each of all tokens.
        offsets: int64, R + 1: row i has the tokens from `offsets[i]` to `offsets[i + 1]`.
        vocabulary: uint8, a `PieceKind` for each piece of the tokenizer.
    """

    name: str
    texts: list[str]
    kinds: npt.NDArray[np.uint8]
    ids: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    vocabulary: npt.NDArray[np.uint8]

    def count(self, *kinds: PieceKind) -> npt.NDArray[np.int64]:
        """How many tokens of some kinds each row has (int64, R)."""
        return self.per_row(np.isin(self.kinds, kinds))

    def per_row(self, marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many of each row's tokens are marked."""
        before = np.concatenate([[0], np.cumsum(marks)])
        counts: npt.NDArray[np.int64] = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return counts


@dataclass(frozen=True)
class Sample:
    """Sampled rows: where they come from, and both sides."""

    origins: list[str]
    lines: list[int]
    source: Side
    target: Side

    def __len__(self) -> int:
        return len(self.lines)


def sample_rows(dataset: Dataset, most: int) -> Sample:
    """About `most` training rows, all where there are no more.

    Rows stand in hash order from shard to shard, so the first of a generation are an even sample of it; each
    generation has its share.

    Raises:
        DatasetError: A shard or a tokenizer is missing or damaged.
    """
    split = dataset.manifest.splits.get("train")
    shards = split.shards if split else ()
    share = min(1.0, most / max(1, sum(shard.rows for shard in shards)))
    parts: list[pa.Table] = []
    for generation in sorted({shard.generation for shard in shards}):
        group = [shard for shard in shards if shard.generation == generation]
        parts += _first_rows(dataset, group, math.ceil(share * sum(shard.rows for shard in group)))
    return _to_sample(dataset, parts)


def take_rows(dataset: Dataset, places: Sequence[Place]) -> Sample:
    """The training rows at some places, in their order."""
    return _to_sample(dataset, _take(dataset, places, _columns(dataset)))


def take_rejected(dataset: Dataset, places: Sequence[Place]) -> list[pa.Table]:
    """The rejected rows at some places, in their order, a table a row."""
    return _take(dataset, places, None)


def _columns(dataset: Dataset) -> list[str]:
    """Those that are looked at: what a side holds that is no text may be large, and is not."""
    return ["origin", "line", *(name for name in SIDES if name in dataset.manifest.tokenizers)]


def _first_rows(dataset: Dataset, shards: Iterable[ShardEntry], count: int) -> Iterator[pa.Table]:
    for shard in shards:
        if count <= 0:
            return
        for table in dataset.row_groups(shard, _columns(dataset)):
            yield table.slice(0, count)
            count -= table.num_rows
            if count <= 0:
                break


def _take(dataset: Dataset, places: Sequence[Place], columns: list[str] | None) -> list[pa.Table]:
    """One table a place; a file is read once, and only as far as needed."""
    found: dict[int, pa.Table] = {}
    for path in dict.fromkeys(place.entry.path for place in places):
        wanted = {i: place for i, place in enumerate(places) if place.entry.path == path}
        last = max(place.row for place in wanted.values())
        begin = 0
        for table in dataset.row_groups(next(iter(wanted.values())).entry, columns):
            for i, place in wanted.items():
                if begin <= place.row < begin + table.num_rows:
                    found[i] = table.slice(place.row - begin, 1)
            begin += table.num_rows
            if begin > last:
                break
    return [found[i] for i in range(len(places))]


def _to_sample(dataset: Dataset, parts: Sequence[pa.Table]) -> Sample:
    known = dataset.manifest.tokenizers
    source, target = (
        _side(name, parts, dataset.tokenizer(name)) if name in known else _nothing(name, parts) for name in SIDES
    )
    origins = [origin for part in parts for origin in part.column("origin").cast(pa.string()).to_pylist()]
    return Sample(origins, [line for part in parts for line in part.column("line").to_pylist()], source, target)


def _nothing(name: str, parts: Sequence[pa.Table]) -> Side:
    """A side that is no text."""
    rows = sum(part.num_rows for part in parts)
    none = np.zeros(0, np.int64)
    kinds = np.zeros(0, np.uint8)
    return Side(name, [""] * rows, kinds, none, np.zeros(rows + 1, np.int64), kinds)


def _side(name: str, parts: Sequence[pa.Table], tokenizer: Tokenizer) -> Side:
    chunks = [chunk for part in parts for chunk in part.column(name).chunks]
    lengths = [pc.list_value_length(chunk).to_numpy() for chunk in chunks]
    ids = np.concatenate([np.zeros(0, np.int64), *(chunk.flatten().to_numpy().astype(np.int64) for chunk in chunks)])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *lengths]))]).astype(np.int64)
    vocabulary = np.array([piece.kind for piece in read_facts(tokenizer.data).pieces], np.uint8)
    return Side(
        name=name,
        texts=tokenizer.decode(np.split(ids, offsets[1:-1]) if len(offsets) > 1 else []),
        kinds=vocabulary[ids],
        ids=ids,
        offsets=offsets,
        vocabulary=vocabulary,
    )
