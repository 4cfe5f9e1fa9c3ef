"""A line file in, its ranges out, their lines as bytes, and a piece each where it can only be read from its start.

Without pieces every unit of an archive would unpack all that stands before it: twice the records, four times the work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import xxhash

from seq2seq_core import storage
from seq2seq_core.documents.content import MAX_RECORD_BYTES
from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.pieces import lines_name, publish_lines, with_pieces
from seq2seq_core.documents.ranges import (
    BLOCK_BYTES,
    CountedInput,
    InputFile,
    RecordRange,
    UnitSize,
    changed,
    cut_lines,
)
from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.files.compression import ByteStream, open_plain, unpacked
from seq2seq_core.files.encodings import HEAD_BYTES, UTF8, encoding_of_head

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_FEW_READINGS = 2


class LineFormat(DocumentFormat):
    """What formats have in common whose records are lines: how they are compressed, and laid out."""

    has_lines = True
    may_be_packed = True

    def read_together(self, file: InputFile, part: RecordRange) -> str:
        """All of an archive."""
        return file.url if file.codec else super().read_together(file, part)

    def lay_out(self, file: InputFile, parts: Iterable[RecordRange], folder: str, /) -> list[RecordRange]:
        parts = sorted(parts, key=lambda part: part.first)
        needs = [part for part in parts if file.codec and part.offset]
        if len(needs) < _FEW_READINGS:
            return parts
        return with_pieces(file, parts, {part: lines_name(part) for part in needs}, folder, _copy_lines)


def count_lines(file: InputFile, size: UnitSize, *watchers: Callable[[bytes], None]) -> CountedInput:
    """Count, digest and cut a file of lines; watchers see its plain bytes block by block.

    Raises:
        InputError: It is a damaged archive, no text, or text that is not UTF-8.
    """
    with storage.open_input(file.url, block_bytes=BLOCK_BYTES) as stored:
        whole = _Digesting(stored)
        if file.codec:
            # The stored bytes are digested through the handle that is unpacked: both are of the same file.
            while whole.read(BLOCK_BYTES):
                pass
            stored.seek(0)
        plain = unpacked(stored, file.url) if file.codec else whole
        ranges = cut_lines(plain, size, _FirstBlock(file), *watchers)
    return CountedInput(file, whole.digest.hexdigest(), whole.bytes, ranges)


def read_lines(file: InputFile, part: RecordRange) -> tuple[list[bytes], bool]:
    """The lines of a range without their `\\n`, and whether the last one had it.

    A compressed file is read from its start, unless the range stands in a piece of its own. Of a line of more than
    `MAX_RECORD_BYTES` only so much is kept that its length still tells.

    Raises:
        InputError: The range does not hold what was counted: the file has changed.
    """
    found = _read_piece(part.piece, part) if part.piece else None
    if found is None:
        with open_range(file, part) as plain:
            found = _read(plain, part)
    if (found.digest, found.bytes, len(found.lines)) != (part.digest, part.bytes, part.records):
        raise changed(
            file,
            part,
            f"{len(found.lines):,} lines, {found.bytes:,} bytes, digest {found.digest}",
            f"{part.records:,} lines, {part.bytes:,} bytes, digest {part.digest}",
        )
    return found.lines, found.ends_line


@contextlib.contextmanager
def open_range(file: InputFile, part: RecordRange) -> Iterator[ByteStream]:
    """The plain bytes of a file from where a range begins."""
    if file.codec is None:
        with open_plain(file.url, part.offset, part.offset + part.bytes) as plain:
            yield plain
        return
    with open_plain(file.url) as plain:
        skip(plain, part.offset)
        yield plain


def skip(plain: ByteStream, count: int) -> None:
    """Read so many bytes, and keep none."""
    for _ in blocks_of(plain, count):
        pass


def blocks_of(plain: ByteStream, count: int) -> Iterator[bytes]:
    """At most so many bytes, block by block."""
    while count and (block := plain.read(min(count, BLOCK_BYTES))):
        yield block
        count -= len(block)


def join_lines(lines: Sequence[bytes], *, ends_line: bool) -> bytes:
    """What `read_lines` has cut, together again."""
    return b"\n".join(lines) + (b"\n" if ends_line else b"")


def _copy_lines(file: InputFile, urls: dict[RecordRange, str]) -> None:
    """Write the pieces of ranges, in order, in one reading of the file."""
    position = 0
    with open_plain(file.url) as plain:
        for part, url in urls.items():
            skip(plain, part.offset - position)
            _copy(plain, file, part, url)
            position = part.offset + part.bytes


def _copy(plain: ByteStream, file: InputFile, part: RecordRange, url: str) -> None:
    digest = xxhash.xxh3_128()
    with publish_lines(url) as out:
        for block in blocks_of(plain, part.bytes):
            digest.update(block)
            out.write(block)
        if digest.hexdigest() != part.digest:
            raise changed(file, part, f"digest {digest.hexdigest()}", f"digest {part.digest}")


class _Digesting:
    """A stream that counts and digests what is read from it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.digest = xxhash.xxh3_128()
        self.bytes = 0

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        self.bytes += len(block)
        return block


class _FirstBlock:
    """Looks at the encoding where a file begins: the lines of UTF-16 cannot be told apart byte by byte."""

    def __init__(self, file: InputFile) -> None:
        self._file: InputFile | None = file

    def __call__(self, block: bytes) -> None:
        if self._file is None:
            return
        encoding = encoding_of_head(block[:HEAD_BYTES], self._file.url)
        if encoding != UTF8:
            name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
            raise InputError(
                f"the text is {name}",
                where=self._file.where,
                expected="UTF-8",
                advice=f"Convert it: iconv -f {name} -t UTF-8 FILE > NEW.",
            )
        self._file = None


class _Found(NamedTuple):
    """What was read of a range; a last line without an end counts."""

    lines: list[bytes]
    ends_line: bool
    bytes: int
    digest: str


class _LongLines:
    """Cuts blocks at `\\n`; of a line over the limit no more than its beginning, and a `\\r` at its end, is kept."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._open: list[bytes] = []
        self._kept = 0
        self._last = b""

    def add(self, block: bytes) -> None:
        first, *others = block.split(b"\n")
        self._grow(first)
        for start in others:
            self.end()
            self._grow(start)

    def end(self) -> None:
        line = b"".join(self._open)
        is_cut = self._kept > MAX_RECORD_BYTES
        self.lines.append(line + self._last if is_cut and self._last == b"\r" else line)
        self._open, self._kept, self._last = [], 0, b""

    def _grow(self, more: bytes) -> None:
        kept = more[: max(0, MAX_RECORD_BYTES + 1 - self._kept)]
        self._open.append(kept)
        self._kept += len(kept)
        self._last = more[-1:] or self._last


def _read(plain: ByteStream, part: RecordRange) -> _Found:
    """The lines of a range from a stream that stands at its beginning."""
    digest, count, last = xxhash.xxh3_128(), 0, b""
    blocks: list[bytes] = []
    lines = _LongLines()
    keep = blocks.append if part.bytes <= MAX_RECORD_BYTES else lines.add
    for block in blocks_of(plain, part.bytes):
        digest.update(block)
        count, last = count + len(block), block[-1:]
        keep(block)
    if blocks:
        lines.lines = b"".join(blocks).split(b"\n")
    elif count:
        lines.end()
    if last == b"\n":
        lines.lines.pop()
    return _Found(lines.lines, last == b"\n", count, digest.hexdigest())


def _read_piece(url: str, part: RecordRange) -> _Found | None:
    """The lines of a range from its piece; None where that is gone or not whole."""
    try:
        with open_plain(url) as plain:
            found = _read(plain, part)
    except (InputError, StorageError):
        return None
    return found if found.digest == part.digest else None
