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

from seq2seq_core.preparation.shuffle.gather import gather
from seq2seq_core.preparation.terms.messages import Partition, Plan, SlotCounts, UnitReport
from seq2seq_core.records import Sifted, reject

MAX_ROWS = "max_rows"


def count_rows(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> SlotCounts:
    """How many rows each corpus has in a shard, duplicates aside."""
    rows, _ = gather(plan, partition, units)
    counts = np.bincount(rows.column("corpus").to_numpy(), minlength=len(plan.job.corpora))
    return SlotCounts(slot=_slot(partition), counts=tuple(counts.tolist()))


def within_caps(
    plan: Plan, partition: Partition, rows: pa.Table, counts: Sequence[SlotCounts]
) -> Sifted[pa.Table] | None:
    """The rows of a shard that their corpus may keep, and those it may not; None without a cap.

    Args:
        plan: The plan.
        partition: The shard.
        rows: Its rows in their order.
        counts: Of every training shard.
    """
    if not counts or partition.split != "train":
        return None
    corpus = rows.column("corpus").to_numpy()
    before = np.zeros(len(plan.job.corpora), np.int64)
    for earlier in counts:
        if earlier.slot < _slot(partition):
            before += np.array(earlier.counts)
    caps = np.array([np.iinfo(np.int64).max if c.max_rows is None else c.max_rows for c in plan.job.corpora])
    places = before[corpus] + _occurrences(corpus, len(plan.job.corpora))
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


def _slot(partition: Partition) -> int:
    return -1 if partition.slot is None else partition.slot
