"""A Parquet file in, its row groups as places to cut, and the rows of a range of row groups out."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.columns import BATCH_BYTES, Column, ColumnFormat, find_columns, pick_rows
from seq2seq_core.corpora.terms.index import STEP_BYTES, FileIndex, PartSize, check_some
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.damage import FAILURES, check_names, damaged
from seq2seq_core.files.lines import BLOCK_BYTES
from seq2seq_core.files.parquet_footer import column_spans, read_footer, row_counts
from seq2seq_core.files.seal import Extent, Stored, Watched, changed, joined, size_of
from seq2seq_core.records import Sifted

_READ_BYTES = 1 << 20
_MOST_BATCH_ROWS = 1 << 16
_FOOTER = "in the footer at its end, before any row"


class Parquet(ColumnFormat):
    """Row groups; a part is some of them, of which the columns that rows are made of are read."""

    called = "a Parquet file"
    suffixes = (".parquet",)
    in_order = False

    def read_schema(self, url: str, /) -> pa.Schema:
        with storage.open_input(url) as stored, _open(stored, url) as opened:
            return opened.file.schema_arrow

    def index_file(self, source: Source, size: PartSize, url: str, /) -> FileIndex:
        with storage.open_input(url, block_bytes=BLOCK_BYTES) as stored:
            check_some(url, size_of(stored))
            layout = _read_layout(stored, source, url)
            groups = [[Extent(*span) for span in spans] for spans in layout.columns]
            footer = Extent(layout.size - len(layout.footer), layout.size)
            stored_bytes, fingerprint = _digest(stored, [footer, *itertools.chain.from_iterable(groups)])
        if (stored_bytes, footer.digest()) != (layout.size, xxhash.xxh3_128_digest(layout.footer)):
            raise changed(url, f"{stored_bytes} bytes and another footer", f"{layout.size} bytes")
        chosen, starts = _group(layout.rows, size.rows, _sizes(layout), size.bytes if source.values else None)
        return FileIndex(
            url=url,
            bytes=stored_bytes,
            fingerprint=fingerprint,
            lines=sum(layout.rows),
            cuts=chosen,
            starts=starts,
            digests=tuple(
                joined([footer.digest(), *(extent.digest() for group in groups[begin:end] for extent in group)])
                for begin, end in itertools.pairwise(chosen)
            ),
        )

    def has_rows(self, _source: Source, url: str, /) -> bool:
        with storage.open_input(url) as stored, _open(stored, url) as opened:
            return sum(_count(opened.file, url)) > 0

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        """Memory stays at a batch, however large a row group is; a damaged file says how far it was readable."""
        source, url, stored, line = part.source, part.source.urls[0], files[0], part.first_line
        (begin, end), shape = part.ranges[0], source.shape
        with _open(stored, url) as opened:
            file = opened.file
            stored.note(opened.footer)
            columns = find_columns(file.schema_arrow, source.wanted, shape, storage.redact(url))
            chosen = range(begin, file.num_row_groups if end is None else end)
            try:
                spans = _spans(opened, columns, url)
                if chosen.stop > len(spans):
                    raise EOFError(f"{len(spans)} row groups instead of {chosen.stop} or more")
                stored.expect(*([Extent(*span) for span in spans[group]] for group in chosen))
                for sifted in pick_rows(_batches(file, chosen, columns, stored), columns, source, line, max_line_bytes):
                    yield sifted
                    line += sifted.read
                expected = sum(file.metadata.row_group(group).num_rows for group in chosen)
                if line - part.first_line != expected:
                    raise EOFError(f"{line - part.first_line} rows instead of {expected}")
            except FAILURES as error:
                raise damaged("Parquet", url, error, f"after row {line - 1}") from None


class _Layout(NamedTuple):
    """Where the rows of a file stand, as its footer tells.

    Attributes:
        size: Of the file in bytes.
        footer: Its last bytes.
        rows: Number of rows of every row group.
        columns: Begin and end of the bytes of every column that rows are made of, for every row group.
    """

    size: int
    footer: bytes
    rows: tuple[int, ...]
    columns: tuple[tuple[tuple[int, int], ...], ...]


class _Opened(NamedTuple):
    """An open file, the bytes of its footer and its size."""

    file: pq.ParquetFile
    footer: bytes
    size: int


def _read_layout(stored: Stored, source: Source, url: str) -> _Layout:
    """Read the footer of an open file; an InputError where it is damaged, or lacks a column."""
    with _open(stored, url) as opened:
        columns = find_columns(opened.file.schema_arrow, source.wanted, source.shape, storage.redact(url))
        return _Layout(opened.size, opened.footer, tuple(_count(opened.file, url)), _spans(opened, columns, url))


def _batches(
    file: pq.ParquetFile, groups: Sequence[int], columns: Sequence[Column], stored: Watched
) -> Iterator[pa.RecordBatch]:
    """The columns that are needed, one row group after the other: some types are not read across the borders.

    A batch has as many rows as make a few megabytes, by what the footer says of the size of the row group. (Sizes of
    its columns are not asked for: `ColumnChunkMetaData` ends the process on some damaged footers, pyarrow 25.)
    """
    branches = _branches(columns)
    for group in groups:
        entry = file.metadata.row_group(group)
        rows = max(1, min(_MOST_BATCH_ROWS, BATCH_BYTES * entry.num_rows // max(1, entry.total_byte_size)))
        yield from file.iter_batches(rows, row_groups=[group], columns=branches, use_threads=False)
        stored.next_round()


def _branches(columns: Sequence[Column]) -> list[str]:
    return sorted({column.branch for column in columns})


def _count(file: pq.ParquetFile, url: str) -> list[int]:
    """The number of rows of every row group."""
    try:
        return row_counts(file.metadata)
    except EOFError as error:
        raise damaged("Parquet", url, error, _FOOTER) from None


def _spans(opened: _Opened, columns: Sequence[Column], url: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Begin and end of the bytes of the leaves of some columns, for every row group."""
    schema = opened.file.schema
    paths = [schema.column(leaf).path for leaf in range(len(schema))]
    branches = _branches(columns)
    wanted = [leaf for leaf, path in enumerate(paths) if any(f"{path}.".startswith(f"{b}.") for b in branches)]
    try:
        groups = column_spans(opened.footer, opened.size)
        if len(groups) != opened.file.num_row_groups or any(len(spans) != len(paths) for spans in groups):
            raise EOFError("the columns of the row groups are not those of the schema")
    except EOFError as error:
        raise damaged("Parquet", url, error, _FOOTER) from None
    return tuple(tuple(spans[leaf] for leaf in wanted) for spans in groups)


@contextlib.contextmanager
def _open(stored: Stored, url: str) -> Iterator[_Opened]:
    """The footer is read once, so that its bytes are those that rows are found with."""
    try:
        size = size_of(stored)
        footer = read_footer(stored, size)
        metadata = pq.read_metadata(io.BytesIO(footer))
        file = pq.ParquetFile(
            stored,
            metadata=metadata,
            buffer_size=_READ_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        check_names(file.schema_arrow)
    except FAILURES as error:
        raise damaged("Parquet", url, error, _FOOTER) from None
    with file:
        yield _Opened(file, footer, size)


def _digest(stored: Stored, extents: Iterable[Extent]) -> tuple[int, str]:
    """Read a file from front to end, for all extents at once; its size and fingerprint."""
    waiting = deque(sorted(extents, key=lambda extent: extent.begin))
    reading: list[Extent] = []
    whole, place = xxhash.xxh3_128(), stored.seek(0)
    while block := stored.read(STEP_BYTES):
        whole.update(block)
        while waiting and waiting[0].begin < place + len(block):
            reading.append(waiting.popleft())
        for extent in reading:
            extent.see(place, block)
        reading = [extent for extent in reading if extent.missing(1)]
        place += len(block)
    return place, whole.hexdigest()


def _sizes(layout: _Layout) -> list[int]:
    """Of every row group, the stored bytes of the columns that rows are made of."""
    return [sum(end - begin for begin, end in spans) for spans in layout.columns]


def _group(
    rows: Sequence[int], unit_rows: int, sizes: Sequence[int], unit_bytes: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Neighbours put together while they have no more than so many rows, nor bytes where that is said.

    Returns:
        The position at which each group begins and the last ends, and the rows before each.
    """
    chosen, starts = [0], [0]
    total = stored = 0
    for position, (count, size) in enumerate(zip(rows, sizes, strict=True)):
        is_full = total + count - starts[-1] > unit_rows or (unit_bytes is not None and stored + size > unit_bytes)
        if total > starts[-1] and is_full:
            chosen.append(position)
            starts.append(total)
            stored = 0
        total, stored = total + count, stored + size
    if total > starts[-1]:
        chosen.append(len(rows))
        starts.append(total)
    return tuple(chosen), tuple(starts)
