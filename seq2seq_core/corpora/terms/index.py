"""A file of a corpus in; what one pass over its bytes tells, or the error of one with nothing in it, out."""

from __future__ import annotations

from typing import NamedTuple

import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import codec_of, open_plain
from seq2seq_core.files.lines import BLOCK_BYTES
from seq2seq_core.files.seal import changed

STEP_BYTES = 1 << 18  # a block stays in the processor's cache while it is digested twice and searched
PART_SECONDS = 1800.0
"""Seconds of audio from cut to cut, where nobody says anything."""


class PartSize(NamedTuple):
    """How much a part holds at most; a row that is larger by itself is a part of its own.

    Attributes:
        rows: Lines, or about so many rows.
        seconds: Of audio, where rows have any.
        bytes: Of files that rows name, or of values of columns.
    """

    rows: int
    seconds: float = PART_SECONDS
    bytes: int = 256 << 20


class FileIndex(pydantic.BaseModel):
    """What one pass over a file tells.

    Attributes:
        url: The file.
        bytes: Its size.
        fingerprint: xxh3-128 of its bytes.
        lines: Number of lines or rows; None when the file is compressed, TMX, or text in another encoding than UTF-8.
        cuts: Places where a part may begin, and the end: byte offsets of lines or of Arrow record batches, numbers
            of Parquet row groups. (0,) alone when the file is read whole.
        starts: How many lines or rows stand before each cut.
        digests: What the `Seal` of each part between two cuts holds.
        head: As in that.
        data_bytes: About how many bytes of data its rows come to, where that is not what the file holds: audio that a
            manifest names.
        is_shared: Whether every part needs all of the file, such as a table that is looked into.
        begins_blank: Whether there is nothing but white space in the first bytes; workers are not told.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    bytes: int
    fingerprint: str
    lines: int | None
    cuts: tuple[int, ...]
    starts: tuple[int, ...]
    digests: tuple[str, ...] = ()
    head: int = 0
    data_bytes: int | None = None
    is_shared: bool = False
    begins_blank: bool = pydantic.Field(False, exclude=True)


def index_whole(url: str) -> FileIndex:
    """Read a file that cannot be cut once; an InputError when it is empty."""
    state = xxhash.xxh3_128()
    size = 0
    with storage.open_input(url, block_bytes=BLOCK_BYTES) as file:
        while block := file.read(STEP_BYTES):
            state.update(block)
            size += len(block)
    check_some(url, size)
    return FileIndex(url=url, bytes=size, fingerprint=state.hexdigest(), lines=None, cuts=(0,), starts=(0,))


def check_some(url: str, size: int) -> None:
    """Raise an InputError where a file, or the text in an archive, has no byte."""
    if size and codec_of(url) is not None:
        with open_plain(url) as stream:
            size = len(stream.read(1))
    if not size:
        raise empty(url)


def check_same(found: FileIndex) -> None:
    """Raise an InputError where a file is not what it was when it was indexed."""
    digest = storage.digest_file(found.url)
    if digest != found.fingerprint:
        raise changed(found.url, f"digest {digest}", f"digest {found.fingerprint}")


def empty(url: str) -> InputError:
    """The error of a file with nothing in it."""
    return InputError("the file is empty", where=storage.redact(url), expected="rows")
