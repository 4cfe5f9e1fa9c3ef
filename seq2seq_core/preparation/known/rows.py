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
    """Which of some different ids stand in the training split of an earlier generation.

    An id that was taken out again, and came again, is in more runs: it stands where it came once more than it went.
    """
    digests, gone = from_column(ids), head.known.of("gone")
    if not gone:
        return pa.array(stand_in(head.output, head.known.of("rows"), digests))
    came, went = (_times_in(head.output, runs, digests) for runs in (head.known.of("rows"), gone))
    return pa.array(came > went)


def stand_in(root: str, runs: tuple[RunEntry, ...], digests: Digests) -> npt.NDArray[np.bool_]:
    """Which of some different digests stand in some runs of digests."""
    found: npt.NDArray[np.bool_] = _times_in(root, runs, digests) > 0
    return found


def _times_in(root: str, runs: tuple[RunEntry, ...], digests: Digests) -> npt.NDArray[np.int64]:
    """How often each of some different digests stands in some runs: of one run at a time their ranges are read.

    What is read is looked up in the digests, not they in it: a table is made of the few, not of the many.
    """
    found = np.zeros(len(digests), np.int64)
    column, keys = to_column(digests), keys_of(digests)
    for run in runs if len(digests) else ():
        places = pc.index_in(to_column(find(root, run, ID_BYTES, keys)), value_set=column).drop_null()
        found += np.bincount(places.to_numpy(), minlength=len(digests))
    return found


def add_rows(head: Head, partition: Partition, ids: pa.Array) -> KnownPart | None:
    """Publish the ids of the rows of a training shard, for later generations; None where nobody asks for them."""
    cut = head.known.adds.get("rows")
    if cut is None or partition.split != "train":
        return None
    return write_part(head.output, cut, partition.index, in_order(from_column(ids)))
