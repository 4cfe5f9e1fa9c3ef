"""Digests as rows of bytes in; Arrow columns and numbers of them out, and back, without a copy where that can be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Digests = npt.NDArray[np.uint8]  # rows x 16
Words = npt.NDArray[np.uint64]


def to_column(octets: npt.NDArray[np.uint8]) -> pa.FixedSizeBinaryArray:
    """Rows of bytes (uint8, rows x n) as an Arrow column."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(octets))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(octets.shape[1]), len(octets), buffers)


def from_column(column: pa.FixedSizeBinaryArray) -> Digests:
    """The inverse of `to_column`, for a column without nulls: uint8, rows x n."""
    width = column.type.byte_width
    octets = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width :][: len(column) * width]
    return octets.reshape(-1, width)


def halves(rows: Digests) -> tuple[Words, Words]:
    """The first and the last eight bytes of each digest as big-endian numbers."""
    words = np.ascontiguousarray(rows).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]
