"""16-bit samples of one channel in, the bytes of a FLAC file out, and back: how speech is stored without loss; and the
FLAC files of others, opened.

The layout of the header (STREAMINFO) is that of RFC 9639, section 8.2.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.audio.source import SoundFileSource
from seq2seq_core.audio.spliced import Part, Spliced, read_at, size_of
from seq2seq_core.audio.terms import AudioError
from seq2seq_core.stopping import interrupts_wait

_STREAM_INFO = 42  # "fLaC", the header of the first block, and STREAMINFO
_COUNT_AT = 21  # the last 36 bits of bytes 21 to 25
_ABOUT_AT, _ABOUT_END = 18, 26  # 20 bits of rate, 3 of channels, 5 of bits a sample, 36 of samples
_SAMPLES = (1 << 36) - 1
_IS_LAST, _TYPE_BITS = 0x80, 0x7F  # of the byte that a block of the header begins with
_LOW_4_BITS = 0x0F
_LONGEST_FRAME = 1 << 20
_CRC8, _CRC16 = 0x07, 0x8005


def encode(pcm: npt.NDArray[np.int16], rate: int) -> bytes:
    """A FLAC file of one channel."""
    import soundfile

    file = io.BytesIO()
    with interrupts_wait():
        soundfile.write(file, pcm, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def decode(data: bytes) -> npt.NDArray[np.int16]:
    """The samples of a file that `encode` made.

    Raises:
        AudioError: The bytes are no FLAC file, or not a whole one.
    """
    import soundfile

    try:
        with interrupts_wait(), soundfile.SoundFile(io.BytesIO(data)) as file:
            pcm: npt.NDArray[np.int16] = file.read(dtype="int16")
            expected = file.frames
    except soundfile.LibsndfileError as error:
        raise AudioError("damaged", found=str(error), expected="FLAC") from None
    if len(pcm) != expected:
        raise AudioError("truncated", found=f"{len(pcm)} samples", expected=expected)
    return pcm


def without_tags(data: bytes, rate: int) -> bytes | None:
    """The samples of somebody's file as they are encoded there, and nothing else of it; None where it is no FLAC file
    of 16 bits, one channel and this rate, or does not say how long it is.
    """
    if len(data) < _STREAM_INFO or not data.startswith(b"fLaC") or data[4] & _TYPE_BITS:
        return None
    about = int.from_bytes(data[_ABOUT_AT:_ABOUT_END], "big")
    found_rate, channels, bits, samples = about >> 44, (about >> 41 & 7) + 1, (about >> 36 & 31) + 1, about & _SAMPLES
    if (found_rate, channels, bits) != (rate, 1, 16) or not samples:
        return None
    place, is_last = _STREAM_INFO, data[4] & _IS_LAST
    while not is_last:
        if place + 4 > len(data):
            return None
        is_last = data[place] & _IS_LAST
        place += 4 + int.from_bytes(data[place + 1 : place + 4], "big")
    return b"".join((data[:4], bytes([_IS_LAST]), data[5:_STREAM_INFO], data[place:]))


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
    if int(np.diff(offsets).min()) < _STREAM_INFO:
        raise AudioError("undecodable", found=f"a value of {int(np.diff(offsets).min())} bytes", expected="FLAC")
    headers = data[offsets[:-1, None].astype(np.int64) + np.arange(_STREAM_INFO)]
    if not (headers[:, :4] == np.frombuffer(b"fLaC", np.uint8)).all():
        raise AudioError("undecodable", found="a value that does not begin with fLaC", expected="FLAC")
    digits = headers[:, _COUNT_AT : _COUNT_AT + 5].astype(np.int64)
    digits[:, 0] &= _LOW_4_BITS
    counts: npt.NDArray[np.int64] = digits @ (1 << np.array([32, 24, 16, 8, 0], np.int64))
    return counts


class _FlacSource(SoundFileSource):
    """Knows a file that was cut from one that was damaged in the middle."""

    def __init__(self, stream: Spliced, last_frame: Callable[[], int]) -> None:
        super().__init__(stream, "flac")
        self._last_frame = last_frame

    def complaint(self, said: str) -> AudioError:
        try:
            self._last_frame()
        except AudioError as error:
            return error
        return super().complaint(said)


def open_flac(stream: BinaryIO, begin: int) -> SoundFileSource:
    """FLAC files (RFC 9639); where the header does not tell the samples, the last frame does."""
    size = size_of(stream)
    head = bytearray(read_at(stream, begin, _STREAM_INFO))
    if len(head) < _STREAM_INFO:
        raise AudioError("truncated", found=f"{len(head)} bytes", expected="a header")
    last_frame = functools.partial(_samples_to_last_frame, stream, begin, size, bytes(head))
    if head[21] & _LOW_4_BITS or any(head[22:26]):
        return _FlacSource(Spliced(stream, [Part(begin, size - begin)]), last_frame)
    head[21:26] = (head[21] >> 4 << 36 | last_frame()).to_bytes(5, "big")
    rest = Part(begin + _STREAM_INFO, size - begin - _STREAM_INFO)
    return _FlacSource(Spliced(stream, [bytes(head), rest]), last_frame)


def _samples_to_last_frame(stream: BinaryIO, begin: int, size: int, head: bytes) -> int:
    """The samples up to the end of the last frame, by the number in its header."""
    most = int.from_bytes(head[15:18], "big") or _LONGEST_FRAME
    place = max(begin + _STREAM_INFO, size - most)
    data = read_at(stream, place, size - place)
    found = len(data)
    while (found := data.rfind(b"\xff", 0, found)) >= 0:
        end = _end_of_frame(data[found : found + 16], int.from_bytes(head[8:10], "big"))
        if end is not None and not _remainder(data[found:], _CRC16, 16):
            return end
    raise AudioError("truncated", found="no whole frame at the end", expected="FLAC")


def _end_of_frame(data: bytes, block: int) -> int | None:
    """The number of the sample after a frame that begins here, None where none does (RFC 9639, section 9.1)."""
    if len(data) < 6 or data[1] & 0xFE != 0xF8 or data[3] & 1:
        return None
    more = next((ones for ones in range(8) if not data[4] << ones & 0x80), 8)
    width = max(1, more)
    if more in (1, 8):
        return None
    number = data[4] & (0x7F >> more)
    for byte in data[5 : 4 + width]:
        number = number << 6 | byte & 0x3F
    at, code = 4 + width, data[2] >> 4
    extra = {6: 1, 7: 2}.get(code, 0)
    at_check = at + extra + {12: 1, 13: 2, 14: 2}.get(data[2] & 0x0F, 0)
    if len(data) <= at_check or _remainder(data[: at_check + 1], _CRC8, 8):
        return None
    if extra:
        samples = int.from_bytes(data[at : at + extra], "big") + 1
    else:
        samples = 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << (code - 8)
    return number + samples if data[1] & 1 else number * block + samples


def _remainder(data: bytes, polynomial: int, bits: int) -> int:
    """Of a cyclic redundancy check; 0 for data that end in their own."""
    value, mask = 0, (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial) & mask if value >> (bits - 1) else value << 1
    return value
