"""An Arrow IPC file (stream or file format) in, its record batches as places to cut, and the rows of a range out.

Both formats are read as a stream, in one pass from the front: the file format is a stream between two magic words.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.corpora.columns import find_columns, pick_rows
from seq2seq_core.corpora.rows import Shape
from seq2seq_core.files.damage import FAILURES, check_names, damaged
from seq2seq_core.files.seal import Stored, size_of
from seq2seq_core.records import Sifted

_MAGIC = b"ARROW1"
_MAGIC_BYTES = 8
_END = b"\0\0\0\0"
_BLOCK_BYTES = 4 << 20


class Scanned(NamedTuple):
    """A step of a pass over a file: its schema, or the next of its record batches.

    Attributes:
        end: Where it ends, in bytes.
        rows: Of the batch; 0 for the schema.
        stands_alone: Whether the batches of the file can be read on their own: they lean on no dictionaries.
    """

    end: int
    rows: int
    stands_alone: bool


def read_schema(url: str) -> pa.Schema:
    """The columns of a file; an InputError when there is none."""
    with storage.open_input(url, block_bytes=_BLOCK_BYTES) as file:
        return _open(_Tap(file), url).schema


def scan(url: str, feed: Callable[[bytes], None]) -> Generator[Scanned, None, None]:
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
            yield Scanned(end, 0, stands_alone)
            try:
                for batch in reader:
                    end, rows, batches = tap.position, rows + batch.num_rows, batches + 1
                    yield Scanned(end, batch.num_rows, stands_alone)
                if tap.position == end or tap.last != _END:
                    raise EOFError("the mark of the end is missing")
                _check_tail(tap, file, batches)
            except FAILURES as error:
                raise damaged("Arrow", url, error, f"after {rows} rows, {end} bytes") from None


def has_rows(url: str) -> bool:
    """Whether there is a row; an InputError when the file is damaged before the first, or cut off there."""
    with contextlib.closing(scan(url, lambda _: None)) as steps:
        return any(step.rows for step in steps)


def read_batches(
    file: Stored,
    url: str,
    place: tuple[int, int | None],
    fields: Sequence[str],
    shape: Shape,
    first_line: int,
    max_bytes: int,
) -> Iterator[Sifted]:
    """The rows of a range of record batches in order.

    Args:
        file: The file, open.
        url: Its name.
        place: Byte offsets that `scan` gave; an end of None means all the rest.
        fields: Columns of the texts and the score; see `fields`.
        shape: What the columns are.
        first_line: Number of the first row, from 1.
        max_bytes: Longer texts are unreadable.

    Raises:
        InputError: A column is missing or of another type, or the file is damaged (it says how far it was readable).
    """
    line = first_line
    head = io.BytesIO()
    tap = _Tap(file, head.write)
    columns = find_columns(_open(tap, url).schema, fields, shape, storage.redact(url))
    stream = _Spliced(head.getvalue()[tap.begin :], file, max(place[0], tap.position), place[1])
    try:
        batches = pa.ipc.open_stream(pa.PythonFile(stream, mode="r"))
        for sifted in pick_rows(batches, columns, shape, line, max_bytes):
            yield sifted
            line += sifted.read
    except FAILURES as error:
        raise damaged("Arrow", url, error, f"after row {line - 1}") from None


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
