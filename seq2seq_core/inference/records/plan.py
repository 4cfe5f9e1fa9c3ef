"""An input file in, the ranges of records it is cut into out: one fast pass that counts, digests and looks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.text.reading.compression import ByteStream, open_plain

_BLOCK_BYTES = 1 << 22
_NEWLINE = 10


@dataclass(frozen=True)
class UnitSize:
    """Where an input is cut: after so many records, or after the record that reaches so many plain bytes."""

    records: int
    bytes: int


@dataclass(frozen=True)
class RecordRange:
    """Records `first` to `first + records - 1`; of line formats also where their plain bytes stand."""

    first: int
    records: int
    offset: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class InputPlan:
    """How an input is cut.

    Attributes:
        fingerprint: xxh3-128 of its stored bytes.
        bytes: Their number.
        doubt: What the first records lack, when none of them can be translated.
    """

    file: InputFile
    fingerprint: str
    bytes: int
    ranges: tuple[RecordRange, ...]
    doubt: str | None = None

    @property
    def records(self) -> int:
        return sum(part.records for part in self.ranges)


def plan_input(file: InputFile, size: UnitSize) -> InputPlan:
    """Count, digest and cut a file; an empty one has one empty range.

    Raises:
        InputError: A compressed file is damaged, or a Parquet file is none.
        StorageError: It cannot be read.
    """
    if file.format == "parquet":
        with open_parquet(file) as parquet:
            ranges = cut_rows(parquet.metadata.num_rows, size)
        return InputPlan(file, storage.digest_file(file.url), storage.size(file.url), ranges)
    with open_plain(file.url) as stream:
        plain = _Digesting(stream)
        ranges = cut_lines(plain, size)
    fingerprint = storage.digest_file(file.url) if file.codec else plain.digest.hexdigest()
    return InputPlan(file, fingerprint, storage.size(file.url), ranges)


def cut_lines(plain: ByteStream, size: UnitSize) -> tuple[RecordRange, ...]:
    """Ranges of whole lines; only `\\n` ends a line, and a last line may lack it."""
    cutter = _LineCutter(size)
    while block := plain.read(_BLOCK_BYTES):
        cutter.add(block)
    return cutter.finish()


def cut_rows(rows: int, size: UnitSize) -> tuple[RecordRange, ...]:
    """Ranges of rows, counted alone."""
    firsts = range(0, max(rows, 1), size.records)
    return tuple(RecordRange(first, min(size.records, rows - first)) for first in firsts)


@contextlib.contextmanager
def open_parquet(file: InputFile) -> Iterator[pq.ParquetFile]:
    """A Parquet file opened for reading; an InputError names one that is damaged."""
    with storage.open_input(file.url) as stored:
        try:
            parquet = pq.ParquetFile(stored)
        except pa.ArrowInvalid as error:
            raise InputError("not a readable Parquet file", where=file.where, found=error) from None
        yield parquet


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

    def add(self, block: bytes) -> None:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE) + (self.position + 1)
        self.position += len(block)
        while (cut := self._next_cut(ends)) < len(ends):
            self._close(self.records + cut + 1, int(ends[cut]))
            ends = ends[cut + 1 :]
        if len(ends):
            self.records += len(ends)
            self.line_start = int(ends[-1])

    def _next_cut(self, ends: npt.NDArray[np.int64]) -> int:
        by_records = self.size.records - self.records - 1
        by_bytes = int(np.searchsorted(ends, self.start + self.size.bytes))
        return min(by_records, by_bytes)

    def _close(self, records: int, end: int) -> None:
        self.done.append(RecordRange(self.first, records, self.start, end - self.start))
        self.first += records
        self.records, self.start, self.line_start = 0, end, end

    def finish(self) -> tuple[RecordRange, ...]:
        if self.line_start < self.position:
            self.records += 1
        if self.records or not self.done:
            self._close(self.records, self.position)
        return tuple(self.done)


class _Digesting:
    """A stream that digests what is read from it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.digest = xxhash.xxh3_128()

    def read(self, size: int, /) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        return block
