"""Rows of each shard counted by corpus in; which rows a corpus with `max_rows` may keep of a shard out.

Shards hold ranges of ids and rows stand in the order of their ids, so the rows a corpus keeps are those with its
smallest ids: a uniform sample, whatever the units and workers were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.shuffle.batch_file import read_batch, write_batches
from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import Head, Partition, RowsBefore, SlotCounts, Staged
from seq2seq_core.records import Sifted, reject

MAX_ROWS = "max_rows"

_BEFORE = pa.schema([pa.field("rows", pa.int64(), nullable=False)])


def count_rows(head: Head, partition: Partition, staged: Staged) -> SlotCounts:
    """How many rows each corpus has in a training shard, duplicates aside."""
    rows, _ = gather(head, partition, staged)
    counts = np.bincount(rows.column("corpus").to_numpy(), minlength=len(head.corpora))
    return SlotCounts(slot=partition.index, counts=tuple(counts.tolist()))


def add_up(head: Head, counts: Sequence[SlotCounts]) -> RowsBefore:
    """Publish how many rows of each corpus stand before each training shard.

    Raises:
        DatasetError: A shard is missing or there twice.
    """
    counts = sorted(counts, key=lambda count: count.slot)
    found, shards = [count.slot for count in counts], head.dealt["train"]
    if found != list(range(shards)):
        where = storage.redact(head.output)
        raise DatasetError("shards are missing or there twice", where=where, found=found, expected=f"{shards}, once")
    url = layout.rows_before(head)
    before = np.zeros(len(head.corpora), np.int64)
    with write_batches(url, _BEFORE, durable=False) as out:
        for count in counts:
            out.add(pa.record_batch([pa.array(before)], schema=_BEFORE))
            before = before + np.array(count.counts, np.int64)
    return RowsBefore(path=url, positions=out.positions_at)


def within_caps(
    head: Head, partition: Partition, rows: pa.Table, counted: RowsBefore | None
) -> Sifted[pa.Table] | None:
    """The rows of a shard that their corpus may keep, and those it may not; None without a cap.

    Args:
        head: The generation.
        partition: The shard.
        rows: Its rows in their order.
        counted: What stands before every training shard.
    """
    if counted is None or partition.split != "train":
        return None
    found = read_batch(counted.path, counted.positions, partition.index, _BEFORE)
    before = np.zeros(0, np.int64) if found is None else found.column("rows").to_numpy()
    corpus = rows.column("corpus").to_numpy()
    caps = np.array([np.iinfo(np.int64).max if c.max_rows is None else c.max_rows for c in head.corpora])
    places = before[corpus] + _occurrences(corpus, len(head.corpora))
    beyond = places >= caps[corpus]
    values = pc.binary_join_element_wise("row", pa.array(places[beyond] + 1).cast(pa.string()), " ")
    return reject(rows, pa.array(beyond), MAX_ROWS, values, "at most max_rows of the corpus")


def _occurrences(corpus: npt.NDArray[np.int32], corpora: int) -> npt.NDArray[np.int64]:
    """How many rows of the same corpus stand before each row."""
    order = np.argsort(corpus, kind="stable")
    counts = np.bincount(corpus, minlength=corpora)
    begins = np.repeat(np.cumsum(counts) - counts, counts)
    places: npt.NDArray[np.int64] = np.empty(len(corpus), np.int64)
    places[order] = np.arange(len(corpus)) - begins
    return places
