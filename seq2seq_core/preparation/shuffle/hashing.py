"""Text columns in, xxh3-128 digests of every row out, and the order, shard and split that follow from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.preparation.shuffle import xxh3
from seq2seq_core.preparation.terms.octets import Digests, from_column, halves, to_column


def digests(column: pa.Array) -> Digests:
    """xxh3-128 of the bytes of each row (text or binary, no nulls): uint8, rows x 16."""
    values = column.cast(pa.large_binary())
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    _, positions, data = values.buffers()
    offsets = (
        np.frombuffer(positions, np.int64)[values.offset :][: len(values) + 1] if len(values) else np.zeros(1, int)
    )
    return xxh3.digests(offsets, np.frombuffer(data or b"", np.uint8))


def pair_digests(source: Digests, target: Digests) -> Digests:
    """The digest of a pair: xxh3-128 of the digests of its two sides."""
    return xxh3.digests_of_32(np.hstack([source, target]))


def hexadecimal(column: pa.FixedSizeBinaryArray) -> pa.StringArray:
    """The bytes of each row as text, two digits a byte; for a column without nulls."""
    octets = from_column(column)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[np.stack([octets >> 4, octets & 15], axis=-1)]
    return to_column(digits.reshape(len(octets), 2 * octets.shape[1])).cast(pa.binary()).cast(pa.string())


def hash_order(
    rows: Digests, scores: npt.NDArray[np.float64] | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The order that sorts digests, and where in that order a digest is the first of its kind.

    Of equal digests the one with the highest score comes first; without scores, or where they are equal too, they
    stand as they did.
    """
    high, low = halves(rows)
    order: npt.NDArray[np.int64] = np.argsort(high)  # ties in any order: many times as fast as a stable sort
    same = high[order][1:] == high[order][:-1]
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    members = order[tied]
    ranks = (members,) if scores is None else (members, -scores[members])
    order[tied] = members[np.lexsort((*ranks, low[members], high[members]))]
    first: npt.NDArray[np.bool_] = np.ones(len(order), np.bool_)
    first[1:] = ~same | (low[order][1:] != low[order][:-1])
    return order, first


def ranges(rows: Digests, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Which of `counts[i]` equal ranges of all digests row i falls into: later ranges hold larger digests."""
    high, _ = halves(rows)
    return ((high >> np.uint64(32)) * counts.astype(np.uint64) >> np.uint64(32)).astype(np.int64)


def fractions(rows: Digests) -> npt.NDArray[np.float64]:
    """A number in [0, 1) from the last eight bytes of each digest, so independent of order and range."""
    _, low = halves(rows)
    return (low >> np.uint64(11)).astype(np.float64) * 2.0**-53
