"""An Arrow IPC file (stream or file format) in, its record batches as places to cut, and the rows of a range out.

Both formats are read as a stream, in one pass from the front: the file format is a stream between two magic words.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.columns import ColumnFormat, find_columns, pick_rows
from seq2seq_core.corpora.formats.saved_dataset import data_files, is_saved_dataset
from seq2seq_core.corpora.terms.index import FileIndex, PartSize
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.damage import FAILURES, check_names, damaged
from seq2seq_core.files.seal import Stored, Watched, joined, size_of
from seq2seq_core.records import Sifted

_MAGIC = b"ARROW1"
_MAGIC_BYTES = 8
_END = b"\0\0\0\0"
_BLOCK_BYTES = 4 << 20


class Arrow(ColumnFormat):
    """Record batches; a part is some of them. A folder that Hugging Face `datasets` saved to disk holds such files."""

    called = "an Arrow file"
    suffixes = (".arrow",)

    def owns(self, folder: str, /) -> bool:
        return storage.is_folder(folder) and is_saved_dataset(folder)

    def sources_in(self, folder: str, split: str | None, /) -> list[tuple[str, ...]]:
        return [(url,) for url in data_files(folder, split)]

    def read_schema(self, url: str, /) -> pa.Schema:
        with storage.open_input(url, block_bytes=_BLOCK_BYTES) as file:
            return _open(_Tap(file), url).schema

    def index_file(self, source: Source, size: PartSize, url: str, /) -> FileIndex:
        """Batches that share dictionaries cannot be read apart."""
        pass_ = _BatchPass(size.rows, size.bytes if source.values else None)
        for step in _scan(url, pass_.feed):
            pass_.end(step)
        return pass_.finish(url)

    def has_rows(self, _source: Source, url: str, /) -> bool:
        """An InputError when the file is damaged before the first row, or cut off there."""
        with contextlib.closing(_scan(url, lambda _: None)) as steps:
            return any(step.rows for step in steps)

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        """A damaged file says how far it was readable."""
        source, url, line = part.source, part.source.urls[0], part.first_line
        (begin, end), shape = part.ranges[0], source.shape
        head = io.BytesIO()
        tap = _Tap(files[0], head.write)
        columns = find_columns(_open(tap, url).schema, source.wanted, shape, storage.redact(url))
        stream = _Spliced(head.getvalue()[tap.begin :], files[0], max(begin, tap.position), end)
        try:
            batches = pa.ipc.open_stream(pa.PythonFile(stream, mode="r"))
            for sifted in pick_rows(batches, columns, source, line, max_line_bytes):
                yield sifted
                line += sifted.read
        except FAILURES as error:
            raise damaged("Arrow", url, error, f"after row {line - 1}") from None


class _Scanned(NamedTuple):
    """A step of a pass over a file: its schema, or the next of its record batches.

    Attributes:
        end: Where it ends, in bytes.
        rows: Of the batch; 0 for the schema.
        stands_alone: Whether the batches of the file can be read on their own: they lean on no dictionaries.
    """

    end: int
    rows: int
    stands_alone: bool


def _scan(url: str, feed: Callable[[bytes], None]) -> Generator[_Scanned, None, None]:
    """Read a file once from front to end: the schema first, then each record batch.

    Args:
        url: The file.
        feed: Takes the bytes of the file in order, all of them; up to the end of a step before it is yielded.

    Raises:
        InputError: The file is truncated or corrupt, or goes on behind its end; it says how many rows were readable.
    """
    with storage.open_input(url, block_bytes=_BLOCK_BYTES) as file:
        tap = _Tap(file, feed)
        with _open(tap, url) as reader:
            stands_alone = not any(_has_dictionary(field.type) for field in reader.schema)
            end, rows, batches = tap.position, 0, 0
            yield _Scanned(end, 0, stands_alone)
            try:
                for batch in reader:
                    end, rows, batches = tap.position, rows + batch.num_rows, batches + 1
                    yield _Scanned(end, batch.num_rows, stands_alone)
                if tap.position == end or tap.last != _END:
                    raise EOFError("the mark of the end is missing")
                _check_tail(tap, file, batches)
            except FAILURES as error:
                raise damaged("Arrow", url, error, f"after {rows} rows, {end} bytes") from None


class _BatchPass:
    """Takes an Arrow file block by block and batch by batch; where to cut is known behind the batch after the cut.

    So its bytes are digested twice: as the next of those before it, and as the first of a new part.
    """

    def __init__(self, unit_rows: int, unit_bytes: int | None) -> None:
        """A part has no more rows, nor bytes where that is said."""
        self._unit_rows = unit_rows
        self._unit_bytes = unit_bytes
        self._whole, self._part, self._batch = (xxhash.xxh3_128() for _ in range(3))
        self._size, self._rows, self._end = 0, 0, 0
        self._cuts: list[int] = []
        self._starts = [0]
        self._head = self._before = b""
        self._parts: list[bytes] = []

    def feed(self, block: bytes) -> None:
        for state in (self._whole, self._part, self._batch):
            state.update(block)
        self._size += len(block)

    def end(self, step: _Scanned) -> None:
        """A step of the pass has ended."""
        if not self._cuts:
            self._cuts.append(step.end)
            self._head = self._part.digest()
            self._part.reset()
        elif step.stands_alone and self._begins_part(step):
            self._close()
            self._part = self._batch.copy()
        self._rows, self._end = self._rows + step.rows, step.end
        self._before = self._part.digest()
        self._batch.reset()

    def _begins_part(self, step: _Scanned) -> bool:
        is_full = self._rows + step.rows - self._starts[-1] > self._unit_rows
        if self._unit_bytes is not None:
            is_full |= step.end - self._cuts[-1] > self._unit_bytes
        return self._rows > self._starts[-1] and is_full

    def _close(self) -> None:
        self._cuts.append(self._end)
        self._starts.append(self._rows)
        self._parts.append(self._before)

    def finish(self, url: str) -> FileIndex:
        """What the pass tells, once there is no more."""
        if self._rows > self._starts[-1]:
            self._close()
        return FileIndex(
            url=url,
            bytes=self._size,
            fingerprint=self._whole.hexdigest(),
            lines=self._rows,
            cuts=tuple(self._cuts),
            starts=tuple(self._starts),
            digests=tuple(joined([self._head, part]) for part in self._parts),
            head=self._cuts[0],
        )


class _Tap:
    """A file read from front to end, which counts the bytes and shows them to somebody else."""

    closed = False

    def __init__(self, file: Stored, feed: Callable[[bytes], object] = len) -> None:
        self._file = file
        self._feed = feed
        self._size = size_of(file)  # a damaged length must not ask for memory that the file could not fill
        self.position = 0
        self.begin = 0
        self.last = b""

    def peek(self, size: int) -> bytes:
        """The first bytes of the file, before any is read."""
        block = self._file.read(size)
        self._file.seek(0)
        return block

    def read(self, size: int, /) -> bytes:
        block = self._file.read(min(size, self._size - self.position))
        self._feed(block)
        self.position += len(block)
        self.last = (self.last + block[-_MAGIC_BYTES:])[-len(_END) :]
        return block


class _Spliced:
    """Some bytes, and then a range of a file."""

    closed = False

    def __init__(self, head: bytes, file: Stored, start: int, end: int | None) -> None:
        self._head = io.BytesIO(head)
        self._file = file
        self._left = max(0, (size_of(file) if end is None else end) - start)
        file.seek(start)

    def read(self, size: int, /) -> bytes:
        block = self._head.read(size)
        wanted = min(size - len(block), self._left)
        self._left -= wanted
        found = self._file.read(wanted) if wanted else b""
        if len(found) < wanted:
            raise EOFError("the file is shorter than it was when it was looked at")
        return block + found


def _open(tap: _Tap, url: str) -> pa.RecordBatchStreamReader:
    """Go past the schema, and past the magic word of the file format before it."""
    try:
        if tap.peek(len(_MAGIC)) == _MAGIC:
            tap.begin = len(tap.read(_MAGIC_BYTES))
        reader = pa.ipc.open_stream(pa.PythonFile(tap, mode="r"))
        check_names(reader.schema)
    except FAILURES as error:
        raise damaged("Arrow", url, error, "in the schema at its start") from None
    return reader


def _check_tail(tap: _Tap, file: Stored, batches: int) -> None:
    """What stands behind the end of the stream: nothing, or the footer of the file format with as many batches."""
    size = 0
    while block := tap.read(_BLOCK_BYTES):
        size += len(block)
    if not tap.begin:
        if size:
            raise EOFError(f"{size} bytes stand behind the end of the stream")
        return
    file.seek(0)
    found = pa.ipc.open_file(pa.PythonFile(file, mode="r")).num_record_batches
    if found != batches:
        raise EOFError(f"the footer tells of {found} record batches, found {batches}")


def _has_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionary(kind.field(position).type) for position in range(kind.num_fields))
