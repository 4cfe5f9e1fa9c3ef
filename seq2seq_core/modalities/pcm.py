"""16-bit samples of one channel in, their plain bytes out (little-endian), and back: how speech is kept for a while."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_TYPE = np.dtype("<i2")


def encode(pcm: npt.NDArray[np.int16], rate: int) -> bytes:
    """Two bytes a sample; nobody is told the rate."""
    del rate
    return pcm.astype(_TYPE, copy=False).tobytes()


def decode(data: Any) -> npt.NDArray[np.int16]:
    """The samples of what `encode` made (bytes, or another buffer); a view where numbers stand in memory as there."""
    found: npt.NDArray[np.int16] = np.frombuffer(data, _TYPE).astype(np.int16, copy=False)
    return found


def sample_counts(column: pa.Array) -> npt.NDArray[np.int64]:
    """How many samples each value of a binary column (no nulls) holds."""
    sizes: npt.NDArray[np.int64] = pc.binary_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    return sizes // _TYPE.itemsize
