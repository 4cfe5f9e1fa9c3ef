"""Blocks of a line file, or a number of rows, in; the ranges of records it is cut into out, each with its digest.

An input file, its ranges, and what was counted of it are the words that every format and every unit of work speaks in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import ByteStream, codec_of

BLOCK_BYTES = 1 << 22
SAMPLE_RECORDS = 100
"""So many first records tell whether a file has texts where they are looked for."""

TimestampUnit = Literal["ns", "us"]

_NEWLINE = 10


@dataclass(frozen=True)
class InputFile:
    """A file to be translated.

    Attributes:
        url: Where it stands.
        name: Its output's name below the output folder, without number and suffix (`news/a`).
        suffix: What its outputs end in (`.jsonl.gz`).
        format: A name in the table of formats.
        written: A name in the table of outputs; None where outputs are of the format of the input.
    """

    url: str
    name: str
    suffix: str
    format: str
    written: str | None = None

    @property
    def codec(self) -> str | None:
        """How the file is compressed, by its name; its outputs are compressed in the same way."""
        return codec_of(self.url)

    @property
    def where(self) -> str:
        """The URL as messages and manifests show it."""
        return storage.redact(self.url)


@dataclass(frozen=True)
class UnitSize:
    """Where an input is cut: after so many records, or after the record that reaches so many plain bytes."""

    records: int
    bytes: int


@dataclass(frozen=True)
class RecordRange:
    """Records `first` to `first + records - 1`, and what ties their reading to the counting.

    Attributes:
        offset: Where their bytes begin: the plain bytes of line formats, the stored row groups of Parquet.
        bytes: How many there are.
        digest: xxh3-128 of these bytes, of Parquet followed by those of the footer.
        int96: The unit in which old timestamps of Parquet are read.
        piece: URL of a copy of the records alone, where the input can only be read from its start.
    """

    first: int
    records: int
    offset: int = 0
    bytes: int = 0
    digest: str = ""
    int96: TimestampUnit = "ns"
    piece: str | None = None


@dataclass(frozen=True)
class CountedInput:
    """An input that was counted, digested and cut.

    Attributes:
        fingerprint: xxh3-128 of its stored bytes.
        bytes: Their number.
        doubt: What the first `SAMPLE_RECORDS` lack, when none of them can be translated.
    """

    file: InputFile
    fingerprint: str
    bytes: int
    ranges: tuple[RecordRange, ...]
    doubt: str | None = None

    @property
    def records(self) -> int:
        return sum(part.records for part in self.ranges)


def cut_lines(plain: ByteStream, size: UnitSize, *watchers: Callable[[bytes], None]) -> tuple[RecordRange, ...]:
    """Ranges of whole lines; only `\\n` ends a line, and a last line may lack it. Watchers see each block first."""
    cutter = _LineCutter(size)
    while block := plain.read(BLOCK_BYTES):
        for watch in watchers:
            watch(block)
        cutter.add(block)
    return cutter.finish()


def cut_rows(rows: int, size: UnitSize) -> tuple[RecordRange, ...]:
    """Ranges of rows, counted alone."""
    firsts = range(0, max(rows, 1), size.records)
    return tuple(RecordRange(first, min(size.records, rows - first)) for first in firsts)


def changed(file: InputFile, part: RecordRange, found: str, expected: str, noun: str = "records") -> InputError:
    """The error of a range that does not hold what was counted; `noun` is the format's word for a record."""
    return InputError(
        "the file has changed since it was counted",
        where=f"{file.where}, {noun} from {part.first}",
        found=found,
        expected=expected,
        advice="Run the same command again.",
    )


@dataclass
class _LineCutter:
    """Finds the ends of lines block by block; `start` to `position` is the range being filled."""

    size: UnitSize
    done: list[RecordRange] = field(default_factory=list)
    first: int = 0
    records: int = 0
    start: int = 0
    position: int = 0
    line_start: int = 0
    digest: xxhash.xxh3_128 = field(default_factory=xxhash.xxh3_128)

    def add(self, block: bytes) -> None:
        view, base, used = memoryview(block), self.position, 0
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE) + (base + 1)
        self.position += len(block)
        while (cut := self._next_cut(ends)) < len(ends):
            end = int(ends[cut])
            self.digest.update(view[used : end - base])
            used = end - base
            self._close(self.records + cut + 1, end)
            ends = ends[cut + 1 :]
        self.digest.update(view[used:])
        if len(ends):
            self.records += len(ends)
            self.line_start = int(ends[-1])

    def _next_cut(self, ends: npt.NDArray[np.int64]) -> int:
        by_records = self.size.records - self.records - 1
        by_bytes = int(np.searchsorted(ends, self.start + self.size.bytes))
        return min(by_records, by_bytes)

    def _close(self, records: int, end: int) -> None:
        self.done.append(RecordRange(self.first, records, self.start, end - self.start, self.digest.hexdigest()))
        self.digest = xxhash.xxh3_128()
        self.first += records
        self.records, self.start, self.line_start = 0, end, end

    def finish(self) -> tuple[RecordRange, ...]:
        if self.line_start < self.position:
            self.records += 1
        if self.records or not self.done:
            self._close(self.records, self.position)
        return tuple(self.done)
