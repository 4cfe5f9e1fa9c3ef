"""The bytes of an audio file in, its samples out: whole, or a range at a time.

A file is known by its first bytes, never by its name. Fewer samples than there should be are an error, not silence.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio import flac, headers
from seq2seq_core.audio.libav import LibavSource
from seq2seq_core.audio.mpeg import MpegSource, id3_length
from seq2seq_core.audio.source import Info, Source, truncated
from seq2seq_core.audio.spliced import read_at
from seq2seq_core.audio.terms import AudioError, Signal

__all__ = ["Info", "Ranges", "blocks", "decode", "probe"]

_HEAD = 64
_BLOCK = 1 << 30


class _Kind(NamedTuple):
    """How a kind of file begins, and what opens it: bytes at a place."""

    place: int
    magic: bytes
    opens: Callable[[BinaryIO, int], Source]


_KINDS = (
    _Kind(0, b"fLaC", flac.open_flac),
    _Kind(0, b"RIFF", headers.open_wav),
    _Kind(0, b"RIFX", headers.open_wav),
    _Kind(0, b"RF64", headers.open_wav),
    _Kind(0, b"BW64", headers.open_wav),
    _Kind(0, b"OggS", headers.open_ogg),
    _Kind(0, b"FORM", headers.open_aiff),
    _Kind(0, b"NIST_1A\n", headers.open_nist),
    _Kind(0, b".snd", headers.open_au),
    _Kind(0, b"caff", functools.partial(headers.open_plain, "caf")),
    _Kind(4, b"ftyp", functools.partial(LibavSource, "mp4")),
    _Kind(0, b"\x1aE\xdf\xa3", functools.partial(LibavSource, "webm")),
    _Kind(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", functools.partial(LibavSource, "asf")),
    _Kind(0, b"#!AMR", functools.partial(LibavSource, "amr")),
    *(_Kind(0, bytes((0xFF, second)), functools.partial(LibavSource, "aac")) for second in (0xF0, 0xF1, 0xF8, 0xF9)),
)


def decode(data: bytes) -> Signal:
    """All samples of a file.

    Raises:
        AudioError: The bytes are no audio, or not all of it is there.
    """
    stream = io.BytesIO(data)
    with _opened(stream) as source:
        if source.damage is not None:
            raise source.damage
        found = [_finite(block) for block in source.blocks(0, None, _BLOCK)]
        info = _not_empty(source.info())
    samples = np.concatenate(found) if len(found) != 1 else found[0]
    if len(samples) < info.samples:
        raise truncated(len(samples), info.samples)
    return Signal(samples, info.rate)


def probe(stream: BinaryIO, *, sees_end: bool = True) -> Info:
    """What a file is. The stream has to be seekable; little of it is read where the header can be believed.

    Args:
        stream: The file.
        sees_end: Find out whether its last sample is there; reading them all, as `blocks` does, tells as well.

    Raises:
        AudioError: It is no audio, has no samples, or ends before its header says.
    """
    with _opened(stream) as source:
        return _not_empty(source.info(sees_end=sees_end))


def blocks(stream: BinaryIO, start: int, count: int, block: int) -> Iterator[npt.NDArray[np.float32]]:
    """The samples [start, start + count) of a file, at most `block` at a time (float32, n x channels).

    Broken frames in the middle of an MP3 file are passed over, as `probe` does not count them.

    Raises:
        AudioError: It is no audio, or ends earlier.
    """
    with _opened(stream) as source:
        yield from _all_of(source, start, count, block)


class Ranges:
    """An open file of which many ranges are read: it is looked at once.

    Attributes:
        info: What it is.

    Raises:
        AudioError: See `probe`.
    """

    def __init__(self, stream: BinaryIO) -> None:
        with contextlib.ExitStack() as stack:
            self._source = stack.enter_context(_opened(stream))
            self.info = _not_empty(self._source.info())
            self._open = stack.pop_all()

    def blocks(self, start: int, count: int, block: int) -> Iterator[npt.NDArray[np.float32]]:
        """See `blocks`."""
        return _all_of(self._source, start, count, block)

    def close(self) -> None:
        """Let go of what a library holds; the stream stays open."""
        self._open.close()


def _all_of(source: Source, start: int, count: int, block: int) -> Iterator[npt.NDArray[np.float32]]:
    left = count
    for samples in source.blocks(start, count, block):
        left -= len(samples)
        yield _finite(samples)
    if left:
        raise truncated(count - left, count)


def _finite(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not np.isfinite(samples.sum(dtype=np.float64)):
        raise AudioError("damaged", found="samples that are no finite numbers")
    return samples


def _not_empty(info: Info) -> Info:
    if not info.samples:
        raise AudioError("empty", found=info.container)
    return info


@contextlib.contextmanager
def _opened(stream: BinaryIO) -> Iterator[Source]:
    source = _source(stream)
    try:
        yield source
    finally:
        source.close()


def _source(stream: BinaryIO) -> Source:
    head = read_at(stream, 0, _HEAD)
    if not head:
        raise AudioError("empty", found="0 bytes")
    begin = id3_length(head)
    head = read_at(stream, begin, _HEAD) if begin else head
    for kind in _KINDS:
        if head.startswith(kind.magic, kind.place):
            return kind.opens(stream, begin)
    return MpegSource(stream, begin)
