"""16-bit samples of one channel in, the bytes of a FLAC file out, and back: how speech is stored without loss.

The layout of the header (STREAMINFO) is that of RFC 9639, section 8.2.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.audio.terms import AudioError

_HEADER_BYTES = 42  # "fLaC", the header of the first block, and STREAMINFO
_COUNT_AT = 21  # the last 36 bits of bytes 21 to 25
_LOW_4_BITS = 0x0F


def encode(pcm: npt.NDArray[np.int16], rate: int) -> bytes:
    """A FLAC file of one channel."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, pcm, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def decode(data: bytes) -> npt.NDArray[np.int16]:
    """The samples of a file that `encode` made.

    Raises:
        AudioError: The bytes are no FLAC file, or not a whole one.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            pcm: npt.NDArray[np.int16] = file.read(dtype="int16")
            expected = file.frames
    except soundfile.LibsndfileError as error:
        raise AudioError("damaged", found=str(error), expected="FLAC") from None
    if len(pcm) != expected:
        raise AudioError("truncated", found=f"{len(pcm)} samples", expected=expected)
    return pcm


def sample_counts(column: pa.Array) -> npt.NDArray[np.int64]:
    """How many samples each file of a binary column (no nulls) holds, as its header says; nothing is decoded.

    Raises:
        AudioError: One of them does not begin as a FLAC file does.
    """
    if not len(column):
        return np.zeros(0, np.int64)
    width = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    offsets = np.frombuffer(column.buffers()[1], width, len(column) + 1, column.offset * np.dtype(width).itemsize)
    data = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    if int(np.diff(offsets).min()) < _HEADER_BYTES:
        raise AudioError("undecodable", found=f"a value of {int(np.diff(offsets).min())} bytes", expected="FLAC")
    headers = data[offsets[:-1, None].astype(np.int64) + np.arange(_HEADER_BYTES)]
    if not (headers[:, :4] == np.frombuffer(b"fLaC", np.uint8)).all():
        raise AudioError("undecodable", found="a value that does not begin with fLaC", expected="FLAC")
    digits = headers[:, _COUNT_AT : _COUNT_AT + 5].astype(np.int64)
    digits[:, 0] &= _LOW_4_BITS
    counts: npt.NDArray[np.int64] = digits @ (1 << np.array([32, 24, 16, 8, 0], np.int64))
    return counts
