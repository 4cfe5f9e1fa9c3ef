"""A stream of bytes in, columns of lines out: only a line feed ends a line (one carriage return before it goes too).

Memory stays at a few blocks, however long a line is: of a line over the limit no more than the limit is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.files.compression import ByteStream
from seq2seq_core.records import Problem

BLOCK_BYTES = 4 << 20
NEWLINE = 0x0A
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NOT_UTF8, TOO_LONG = "not_utf8", "too_many_bytes"


@dataclass(frozen=True)
class Lines:
    """Consecutive lines without their ends: the bytes (binary, no nulls) and the length of each in bytes (int64).

    The bytes of a line over the reader's limit may be cut; its length is the true one.
    """

    text: pa.BinaryArray
    lengths: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    def part(self, start: int, stop: int | None = None) -> Lines:
        """A range of the lines."""
        stop = len(self) if stop is None else stop
        return Lines(self.text.slice(start, stop - start), self.lengths[start:stop])


def read_lines(
    stream: ByteStream, max_line_bytes: int, block_bytes: int = BLOCK_BYTES, *, at_start: bool = True
) -> Iterator[Lines]:
    """All lines of a stream, block by block; a byte order mark before the first is dropped at the start of a file.

    A last line without a line feed counts; an empty stream has no lines.
    """
    carry, dropped = b"", 0
    while block := stream.read(block_bytes):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield _split(b"".join((carry, memoryview(block)[:cut])), dropped, at_start)
            carry, dropped, at_start = b"", 0, False
        carry += block[cut:]
        excess = max(0, len(carry) - max_line_bytes - len(BYTE_ORDER_MARK) - 2)
        carry, dropped = carry[: len(carry) - excess], dropped + excess
    if carry:
        yield _split(carry, dropped, at_start)


def decode(lines: Lines, max_line_bytes: int) -> tuple[pa.StringArray, list[Problem]]:
    """The lines as text; those over the limit or not UTF-8 are null and listed (those that were null are null)."""
    problems = [
        Problem(int(row), TOO_LONG, f"{lines.lengths[row]} bytes", f"at most {max_line_bytes} bytes")
        for row in np.flatnonzero(lines.lengths > max_line_bytes)
    ]
    text = lines.text.view(pa.string())
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        long_rows = {problem.row for problem in problems}
        problems += [problem for problem in _undecodable(lines) if problem.row not in long_rows]
    if not problems:
        return text, problems
    mask: npt.NDArray[np.bool_] = np.zeros(len(lines), np.bool_)
    mask[[problem.row for problem in problems]] = True
    blanked = pc.if_else(pa.array(mask), pa.scalar(None, pa.binary()), lines.text)
    return blanked.cast(pa.string()), problems


def _split(block: bytes, dropped: int, at_start: bool) -> Lines:
    """Cut a block at its line feeds; `dropped` bytes of its first line were left out before."""
    if at_start:
        block = block.removeprefix(BYTE_ORDER_MARK)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
    text = block.replace(b"\n", b"")
    unfinished = not block.endswith(b"\n")
    offsets = np.zeros(len(ends) + 1 + unfinished, np.int32)
    offsets[1 : len(ends) + 1] = ends - np.arange(len(ends))
    if unfinished:
        offsets[-1] = len(text)
    lengths = np.diff(offsets).astype(np.int64)
    lengths[0] += dropped
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return Lines(pa.BinaryArray.from_buffers(pa.binary(), len(lengths), buffers), lengths)


def _undecodable(lines: Lines) -> Iterator[Problem]:
    """The slow way, for a block known to hold bytes that are not UTF-8."""
    for row, octets in enumerate(lines.text.to_pylist()):
        try:
            (octets or b"").decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem(row, NOT_UTF8, f"byte 0x{octets[error.start]:02x} at {error.start + 1}", "UTF-8")
