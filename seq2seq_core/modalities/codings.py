"""16-bit samples in, the bytes that they are kept as out, and back: FLAC, or plain, by what shards hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.audio import flac
from seq2seq_core.modalities import pcm


def _never(data: bytes, rate: int) -> None:
    del data, rate


class Coding(NamedTuple):
    """A way to keep samples of one channel in the files of workers.

    Attributes:
        encode: Samples and their rate to bytes.
        decode: Bytes, or a buffer, to samples.
        sample_counts: How many each value of a binary column holds.
        kept: What somebody's file of this rate becomes without being encoded anew; None where it has to be.
    """

    encode: Callable[[npt.NDArray[np.int16], int], bytes]
    decode: Callable[[Any], npt.NDArray[np.int16]]
    sample_counts: Callable[[pa.Array], npt.NDArray[np.int64]]
    kept: Callable[[bytes, int], bytes | None] = _never


FLAC = Coding(flac.encode, flac.decode, flac.sample_counts, flac.without_tags)
PLAIN = Coding(pcm.encode, pcm.decode, pcm.sample_counts)
CODINGS: Mapping[str, Coding] = {"flac": FLAC, "features": PLAIN}
"""By what shards hold: samples that become frames there need not be small before."""
