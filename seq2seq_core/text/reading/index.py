"""A raw file in, one pass over its bytes, its size, fingerprint and the places where it can be cut out."""

from __future__ import annotations

import numpy as np
import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.text.reading.compression import codec_of
from seq2seq_core.text.reading.lines import BLOCK_BYTES, NEWLINE


class FileIndex(pydantic.BaseModel):
    """What one pass over a file tells.

    Attributes:
        url: The file.
        bytes: Its size.
        fingerprint: xxh3-128 of its bytes.
        lines: Number of lines; None when the file is compressed.
        cuts: Byte offsets of lines 0, n, 2n, ... of a plain file, and its size; (0,) alone when compressed.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    bytes: int
    fingerprint: str
    lines: int | None
    cuts: tuple[int, ...]


def index_file(url: str, lines_a_cut: int, block_bytes: int = BLOCK_BYTES) -> FileIndex:
    """Read a file once.

    Raises:
        InputError: The file is empty.
    """
    state = xxhash.xxh3_128()
    plain = codec_of(url) is None
    size, newlines, last = 0, 0, b""
    cuts = [0]
    with storage.open_input(url, block_bytes=block_bytes) as file:
        while block := file.read(block_bytes):
            state.update(block)
            if plain:
                found = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
                first = -newlines % lines_a_cut or lines_a_cut
                cuts += [size + int(end) + 1 for end in found[first - 1 :: lines_a_cut]]
                newlines += len(found)
                last = block[-1:]
            size += len(block)
    if not size:
        raise InputError("the file is empty", where=storage.redact(url), expected="lines of text")
    lines = newlines + (last != b"\n") if plain else None
    if plain and cuts[-1] != size:
        cuts.append(size)
    return FileIndex(
        url=url, bytes=size, fingerprint=state.hexdigest(), lines=lines, cuts=tuple(cuts if plain else [0])
    )
