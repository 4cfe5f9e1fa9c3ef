"""A URL in, a stream of its plain bytes out, whatever it is compressed with; and plain bytes in, packed ones out."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
from collections.abc import Callable, Iterator
from typing import Protocol

import zstandard

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.seal import Stored
from seq2seq_core.files.unpacking import DamageError, unpack

_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_COMPRESSORS: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    None: lambda data: data,
}
READ_AHEAD_BYTES = 4 << 20
_USUAL_RATIO = 3


class ByteStream(Protocol):
    """What a line reader needs: some bytes, at most so many, and none at the end."""

    def read(self, size: int, /) -> bytes: ...


def codec_of(url: str) -> str | None:
    """The compression a file name tells of: gzip, zstd, bz2, xz or None."""
    return next((codec for suffix, codec in _SUFFIXES.items() if url.lower().endswith(suffix)), None)


def without_codec(url: str) -> str:
    """The name without its compression suffix."""
    return next((url[: -len(suffix)] for suffix in _SUFFIXES if url.lower().endswith(suffix)), url)


def suffix_of(codec: str) -> str:
    """What the name of an archive ends in."""
    return next(suffix for suffix, name in _SUFFIXES.items() if name == codec)


def text_bytes(url: str, size: int) -> int:
    """About how many bytes of text a file of so many stored bytes has."""
    return size * (_USUAL_RATIO if codec_of(url) else 1)


@contextlib.contextmanager
def open_plain(url: str, start: int = 0, end: int | None = None) -> Iterator[ByteStream]:
    """The bytes `start` to `end` of a file, uncompressed (a range is for plain files only).

    All streams of an archive are read, one after the other.

    Raises:
        InputError: On reading, when anything in the archive cannot be read; it says how much came out of it before.
    """
    with storage.open_input(url, block_bytes=READ_AHEAD_BYTES) as file:
        yield unpacked(file, url, start, end)


def unpacked(file: Stored, url: str, start: int = 0, end: int | None = None) -> ByteStream:
    """As `open_plain`, of a file that is open already."""
    codec = codec_of(url)
    if codec is not None:
        return _Archive(file, codec, url)
    file.seek(start)
    return _Range(file, None if end is None else end - start)


class _Range:
    """At most so many bytes of a file from where it stands."""

    def __init__(self, file: Stored, remaining: int | None) -> None:
        self._file = file
        self._remaining = remaining

    def read(self, size: int, /) -> bytes:
        if self._remaining is None:
            return self._file.read(size)
        block = self._file.read(min(size, self._remaining))
        self._remaining -= len(block)
        return block


class _Archive:
    """The text of an archive; what cannot be read is an error that says how much came out before."""

    def __init__(self, file: Stored, codec: str, url: str) -> None:
        self._blocks = unpack(file, codec)
        self._url = url
        self._rest = memoryview(b"")
        self._bytes = 0
        self._lines = 0

    def read(self, size: int, /) -> bytes:
        blocks: list[memoryview] = []
        while size > 0 and (block := self._rest or self._next()):
            blocks.append(block[:size])
            self._rest = block[size:]
            size -= len(blocks[-1])
        return b"".join(blocks)

    def _next(self) -> memoryview:
        """The next block with text; an empty one at the end."""
        try:
            block = next(filter(None, self._blocks), b"")
        except DamageError as damage:
            raise InputError(
                "the archive is truncated or corrupt",
                where=storage.redact(self._url),
                found=f"{damage.found}, after {self._lines} lines, {self._bytes} bytes of text",
                advice=damage.advice,
            ) from None
        self._bytes += len(block)
        self._lines += block.count(b"\n")
        return memoryview(block)


def compress(data: bytes, codec: str | None) -> bytes:
    """One whole frame by a codec of `codec_of`; no clock and no file name inside, so equal data give equal bytes."""
    return _COMPRESSORS[codec](data)
