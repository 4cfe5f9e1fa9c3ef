"""Ids of new rows in, which of them earlier generations have out; and what a generation adds to what is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.dataset.manifest import RunEntry
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.known.runs import find, in_order, keys_of, write_part
from seq2seq_core.preparation.terms.known import KnownPart
from seq2seq_core.preparation.terms.messages import Head, Partition
from seq2seq_core.preparation.terms.octets import Digests, from_column, to_column


def are_known(head: Head, ids: pa.FixedSizeBinaryArray) -> pa.BooleanArray:
    """Which ids stand in the training split of an earlier generation."""
    return pa.array(stand_in(head.output, head.known.of("rows"), from_column(ids)))


def stand_in(root: str, runs: tuple[RunEntry, ...], digests: Digests) -> npt.NDArray[np.bool_]:
    """Which digests stand in some runs of digests: the ranges that they lie in are read, and of one run at a time."""
    found = np.zeros(len(digests), np.bool_)
    column, keys = to_column(digests), keys_of(digests)
    for run in runs if len(digests) else ():
        there = to_column(find(root, run, ID_BYTES, keys))
        found |= pc.is_in(column, value_set=there).to_numpy(zero_copy_only=False)
    return found


def add_rows(head: Head, partition: Partition, ids: pa.Array) -> KnownPart | None:
    """Publish the ids of the rows of a training shard, for later generations; None where nobody asks for them."""
    cut = head.known.adds.get("rows")
    if cut is None or partition.split != "train":
        return None
    return write_part(head.output, cut, partition.index, in_order(from_column(ids)))
