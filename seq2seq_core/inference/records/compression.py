"""Plain bytes in, compressed bytes out: the writing side of what `text.reading.compression` reads."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable

import zstandard

_COMPRESSORS: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    None: lambda data: data,
}


def compress(data: bytes, codec: str | None) -> bytes:
    """One whole frame by a codec of `codec_of`; no clock and no file name inside, so equal data give equal bytes."""
    return _COMPRESSORS[codec](data)
