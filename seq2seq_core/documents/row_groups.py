"""A Parquet file and a range of its rows in; the rows out, of the very bytes whose digest was taken.

The bytes of the row groups that hold a range are copied, digested, compared with it, and read from the copy: a file
that is replaced at any moment gives the rows that were counted or an error, never a mixture.
"""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from seq2seq_core import local_disk, storage
from seq2seq_core.documents.ranges import BLOCK_BYTES, InputFile, RecordRange, TimestampUnit, changed
from seq2seq_core.files.damage import FAILURES, damaged
from seq2seq_core.files.parquet_footer import read_footer
from seq2seq_core.files.seal import size_of

_BATCH_ROWS = 8192
_HELD_BYTES = 1 << 26


def open_file(
    stored: IO[bytes] | io.RawIOBase,
    int96: TimestampUnit | Literal["s"] | None = None,
    metadata: pq.FileMetaData | None = None,
) -> pq.ParquetFile:
    """A Parquet file that checks the checksums of pages that have one; raises what `damage.FAILURES` lists."""
    return pq.ParquetFile(
        stored,
        metadata=metadata,
        pre_buffer=False,
        coerce_int96_timestamp_unit=int96,
        page_checksum_verification=True,
    )


def row_counts(metadata: pq.FileMetaData) -> list[int]:
    """The number of rows of every row group; an EOFError when they cannot be right."""
    counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    if sum(counts) != metadata.num_rows or min(counts, default=0) < 0:
        raise EOFError(f"{sum(counts)} rows in row groups, {metadata.num_rows} in all")
    return counts


def digest_ranges(
    stored: IO[bytes],
    footer: bytes,
    ranges: Sequence[RecordRange],
    counts: Sequence[int],
    spans: Sequence[tuple[int, int]],
    int96: TimestampUnit,
) -> tuple[str, tuple[RecordRange, ...]]:
    """The digest of the whole file, and the ranges with the place and the digest of their row groups, in one pass.

    Args:
        stored: The file.
        footer: Its last bytes, part of every digest.
        ranges: Its rows.
        counts: Rows of each row group.
        spans: Begin and end of the bytes of each row group.
        int96: Noted in each range.
    """
    firsts = [0, *itertools.accumulate(counts)]
    held = [[spans[group] for group in _groups(firsts, part)] for part in ranges]
    places = [(min(begin for begin, _ in s), max(end for _, end in s)) if s else (0, 0) for s in held]
    fingerprint, digests = _digest(stored, sorted(set(places)), footer)
    return fingerprint, tuple(
        dataclasses.replace(part, offset=begin, bytes=end - begin, digest=digests[begin, end], int96=int96)
        for part, (begin, end) in zip(ranges, places, strict=True)
    )


@contextlib.contextmanager
def open_range(file: InputFile, part: RecordRange) -> Iterator[pq.ParquetFile]:
    """The file, of which only the row groups of a range can be read.

    Raises:
        InputError: They are not what was counted.
    """
    with storage.open_input(file.url) as stored, _room_for(part.bytes) as copy:
        size, digest = size_of(stored), xxhash.xxh3_128()
        stored.seek(part.offset)
        for block in _blocks(stored, part.bytes):
            digest.update(block)
            copy.write(block)
        footer = read_footer(stored, size)
        digest.update(footer)
        if digest.hexdigest() != part.digest:
            raise changed(file, part, f"digest {digest.hexdigest()}", f"digest {part.digest}", "rows")
        try:
            parquet = open_file(_Held(copy, part, size), part.int96, pq.read_metadata(io.BytesIO(footer)))
        except FAILURES as error:
            raise damaged("Parquet", file.url, error, "in the footer at its end, before any row") from None
        yield parquet


def batches_of(parquet: pq.ParquetFile, groups: Iterable[int]) -> Iterator[pa.RecordBatch]:
    """All rows of some row groups, one group after the other: some types are not read across their borders."""
    for group in groups:
        yield from parquet.iter_batches(_BATCH_ROWS, row_groups=[group])


def read_batches(file: InputFile, part: RecordRange, parquet: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows of a range, out of the row groups that hold some of them; an InputError where they are damaged."""
    firsts = [0, *itertools.accumulate(row_counts(parquet.metadata))]
    groups, end = _groups(firsts, part), part.first + part.records
    position = firsts[groups.start]
    try:
        for batch in batches_of(parquet, groups):
            below, above = max(part.first - position, 0), min(end - position, len(batch))
            position += len(batch)
            if below < above:
                yield batch.slice(below, above - below)
    except FAILURES as error:
        place = f"in the row groups {groups.start} to {groups.stop - 1}, after row {position}"
        raise damaged("Parquet", file.url, error, place) from None


def _groups(firsts: Sequence[int], part: RecordRange) -> range:
    """The row groups that hold rows of a range; `firsts` are their first rows, and the end."""
    begin = bisect.bisect_right(firsts, part.first) - 1
    return range(begin, max(begin, min(bisect.bisect_left(firsts, part.first + part.records), len(firsts) - 1)))


def _digest(
    stored: IO[bytes], places: Sequence[tuple[int, int]], footer: bytes
) -> tuple[str, dict[tuple[int, int], str]]:
    """The digest of a file, and of each of the places in it (sorted, some may overlap), each with the footer."""
    whole, position = xxhash.xxh3_128(), 0
    states = {place: xxhash.xxh3_128() for place in places}
    waiting = iter([*places, None])
    upcoming, reading = next(waiting), list[tuple[int, int]]()
    stored.seek(0)
    while block := stored.read(BLOCK_BYTES):
        whole.update(block)
        view, position = memoryview(block), position + len(block)
        while upcoming is not None and upcoming[0] < position:
            reading.append(upcoming)
            upcoming = next(waiting)
        start = position - len(block)
        for begin, end in reading:
            states[begin, end].update(view[max(0, begin - start) : max(0, end - start)])
        reading = [place for place in reading if place[1] > position]
    for state in states.values():
        state.update(footer)
    return whole.hexdigest(), {place: state.hexdigest() for place, state in states.items()}


def _blocks(stored: IO[bytes], count: int) -> Iterator[bytes]:
    while count and (block := stored.read(min(count, BLOCK_BYTES))):
        yield block
        count -= len(block)


@contextlib.contextmanager
def _room_for(count: int) -> Iterator[IO[bytes]]:
    """A file for so many bytes, in memory while they are few."""
    if count <= _HELD_BYTES:
        yield io.BytesIO()
        return
    with local_disk.open_temporary(None) as (file, _):
        yield file


class _Held(io.RawIOBase):
    """A file of which only a range of bytes can be read, out of a copy of them."""

    def __init__(self, copy: IO[bytes], part: RecordRange, size: int) -> None:
        super().__init__()
        self._copy = copy
        self._begin, self._end = part.offset, part.offset + part.bytes
        self._size = size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def read(self, size: int = -1, /) -> bytes:
        end = self._size if size < 0 else min(self._place + size, self._size)
        if not self._begin <= self._place <= end <= self._end:
            raise EOFError(f"bytes {self._place} to {end} are no part of these row groups")
        self._copy.seek(self._place - self._begin)
        block = self._copy.read(end - self._place)
        self._place += len(block)
        return block
