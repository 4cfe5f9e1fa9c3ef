"""A codec in, what reads the beginnings of its streams and the bytes of one stream out, whichever library does it.

An archive is a row of streams (members of gzip, frames of zstd). The decoders of bz2 and xz are those of Python; the
two others are given their shape here. None of them holds more than 64 MiB of text, however well it was packed.
"""

from __future__ import annotations

import bz2
import functools
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import zstandard

FAILURES = (OSError, EOFError, MemoryError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What decoders raise on damaged streams."""

_ZSTD_STEP_BYTES = 1 << 10  # four bytes may hold 128 KiB of text
_ZSTD_WINDOW_BYTES = 1 << 31


class Decoder(Protocol):
    """The text of one stream.

    `eof` says that the stream has ended, and `unused_data` what was given behind it. `decompress` takes bytes when
    `needs_input` says so, else none.
    """

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


@dataclass(frozen=True)
class Codec:
    """How archives of a kind are made up.

    Attributes:
        magic: What a stream begins with, one of these.
        padding: Zero bytes may stand behind a stream, in multiples of so many; 0 where none may.
        decoders: For an archive, what makes the decoder of its next stream.
    """

    magic: tuple[bytes, ...]
    padding: int
    decoders: Callable[[], Callable[[], Decoder]]


class _Gzip:
    """A member of gzip; its checksum and length are compared."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._packed = memoryview(b"")
        self._is_full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._packed and not self._is_full and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + bytes(self._packed)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._packed = memoryview(data) if data else self._packed
        step = self._packed[:max_length]
        text = self._inner.decompress(step, max_length)
        left = 0 if self._inner.eof else len(self._inner.unconsumed_tail)  # at the end it is unused data too
        self._packed = self._packed[len(step) - left :]
        self._is_full = len(text) == max_length
        return text


class _Zstd:
    """A frame of zstd, or one to be skipped; the library gives all the text of the bytes it gets, so it gets few."""

    def __init__(self, library: zstandard.ZstdDecompressor) -> None:
        self._inner = library.decompressobj()
        self._packed = memoryview(b"")
        self._text = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._inner.eof and not self._text

    @property
    def needs_input(self) -> bool:
        return not self._packed and not self._text and not self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + bytes(self._packed)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._packed = memoryview(data) if data else self._packed
        while self._packed and not self._text and not self._inner.eof:
            step, self._packed = self._packed[:_ZSTD_STEP_BYTES], self._packed[_ZSTD_STEP_BYTES:]
            self._text = memoryview(self._inner.decompress(step))
        text, self._text = self._text[:max_length], self._text[max_length:]
        return bytes(text)


def _zstd() -> Callable[[], Decoder]:
    library = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    return functools.partial(_Zstd, library)


def _xz() -> Callable[[], Decoder]:
    return functools.partial(lzma.LZMADecompressor, lzma.FORMAT_XZ)


CODECS = {
    "gzip": Codec((b"\x1f\x8b",), 1, lambda: _Gzip),
    "zstd": Codec((b"\x28\xb5\x2f\xfd", *(bytes([0x50 + i]) + b"\x2a\x4d\x18" for i in range(16))), 0, _zstd),
    "bz2": Codec((b"BZh",), 0, lambda: bz2.BZ2Decompressor),
    "xz": Codec((b"\xfd7zXZ\0",), 4, _xz),
}
"""All codecs by their names. Tools pad gzip with zeros to whole blocks of a tape; xz allows whole words of them."""
