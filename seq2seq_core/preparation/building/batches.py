"""The gathered rows of a shard in; the same in batches of bounded rows and bytes out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_BATCH_ROWS, _BATCH_BYTES = 1 << 17, 64 << 20


def batches_of(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """Large batches, in which words repeat, of bounded rows and bytes (but for one row)."""
    octets = _octets(rows.column("source")) + _octets(rows.column("target"))
    blocks = np.cumsum(octets) // _BATCH_BYTES
    cuts = [0, *(np.flatnonzero(blocks[1:] != blocks[:-1]) + 1), rows.num_rows]
    for begin, end in itertools.pairwise(cuts):
        yield from rows.slice(begin, end - begin).to_batches(max_chunksize=_BATCH_ROWS)


def _octets(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Bytes of each row: of text exactly, of what has no length in bytes on the average."""
    if pa.types.is_large_string(column.type):
        sizes: npt.NDArray[np.int64] = pc.binary_length(column).to_numpy()
        return sizes
    return np.full(len(column), column.nbytes // max(1, len(column)), np.int64)
