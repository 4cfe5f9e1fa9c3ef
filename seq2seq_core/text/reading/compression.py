"""A URL in, a stream of its plain bytes out, whatever it is compressed with; damaged archives are named."""

from __future__ import annotations

import bz2
import contextlib
import lzma
from collections.abc import Iterator
from typing import IO, Protocol, cast

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import InputError

_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_READ_AHEAD_BYTES = 4 << 20
_STEP_BYTES = 1 << 16


class ByteStream(Protocol):
    """What a line reader needs: some bytes, at most so many, and none at the end."""

    def read(self, size: int, /) -> bytes: ...


def codec_of(url: str) -> str | None:
    """The compression a file name tells of: gzip, zstd, bz2, xz or None."""
    return next((codec for suffix, codec in _CODECS.items() if url.lower().endswith(suffix)), None)


def without_codec(url: str) -> str:
    """The name without its compression suffix."""
    return next((url[: -len(suffix)] for suffix in _CODECS if url.lower().endswith(suffix)), url)


@contextlib.contextmanager
def open_plain(url: str, start: int = 0, end: int | None = None) -> Iterator[ByteStream]:
    """The bytes `start` to `end` of a file, uncompressed (a range is for plain files only).

    Raises:
        InputError: On reading, when the archive is truncated or corrupt; it says how many bytes came out of it.
    """
    codec = codec_of(url)
    with storage.open_input(url, block_bytes=_READ_AHEAD_BYTES) as file:
        if codec is None:
            file.seek(start)
            yield _Range(file, None if end is None else end - start)
        else:
            yield unpacked(file, url)


def unpacked(file: IO[bytes], url: str) -> ByteStream:
    """The plain bytes of an open archive from where it stands; its URL tells the compression."""
    return _Archive(_decompressor(file, codec_of(url) or ""), url)


class _Range:
    """At most so many bytes of a file from where it stands."""

    def __init__(self, file: IO[bytes], remaining: int | None) -> None:
        self._file = file
        self._remaining = remaining

    def read(self, size: int, /) -> bytes:
        if self._remaining is None:
            return self._file.read(size)
        block = self._file.read(min(size, self._remaining))
        self._remaining -= len(block)
        return block


class _Archive:
    """A decompressor whose failures name the file and how far it was readable."""

    def __init__(self, stream: ByteStream, url: str) -> None:
        self._stream = stream
        self._url = url
        self._bytes = 0
        self._lines = 0

    def read(self, size: int, /) -> bytes:
        blocks: list[bytes] = []
        while size > 0 and (block := self._read_some(min(size, _STEP_BYTES))):
            blocks.append(block)
            size -= len(block)
        return b"".join(blocks)

    def _read_some(self, size: int) -> bytes:
        try:
            block = self._stream.read(size)
        except (OSError, EOFError, lzma.LZMAError) as error:
            if getattr(error, "errno", None) is not None:  # the disk or the network, not the archive
                raise
            raise InputError(
                "the archive is truncated or corrupt",
                where=storage.redact(self._url),
                found=f"{error} after {self._lines} lines, {self._bytes} bytes of text",
                advice="Fetch the file again, or pack it anew.",
            ) from None
        self._bytes += len(block)
        self._lines += block.count(b"\n")
        return block


def _decompressor(file: IO[bytes], codec: str) -> ByteStream:
    if codec == "xz":
        return lzma.open(file)
    if codec == "bz2":  # Arrow's reader stops at an empty stream between two others
        return bz2.open(file)
    return cast(ByteStream, pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec))
