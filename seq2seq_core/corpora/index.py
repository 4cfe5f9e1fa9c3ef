"""A raw file in, one pass over its bytes, its size, fingerprint and the places where it can be cut out."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora import arrow, parquet
from seq2seq_core.corpora.rows import Shape
from seq2seq_core.corpora.tmx import has_units
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import codec_of, open_plain
from seq2seq_core.files.encodings import HEAD_BYTES, UTF8, encoding_of_head, open_text
from seq2seq_core.files.lines import BLOCK_BYTES, BYTE_ORDER_MARK, NEWLINE, read_lines
from seq2seq_core.files.seal import Extent, Stored, changed, joined, size_of

_LOOK_BYTES = 1 << 16
_STEP_BYTES = 1 << 18  # a block stays in the processor's cache while it is digested twice and searched
_BLANKS = b" \t\r\n"


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
    begins_blank: bool = pydantic.Field(False, exclude=True)


def index_whole(url: str) -> FileIndex:
    """Read a file that cannot be cut once; an InputError when it is empty."""
    state = xxhash.xxh3_128()
    size = 0
    with storage.open_input(url, block_bytes=BLOCK_BYTES) as file:
        while block := file.read(_STEP_BYTES):
            state.update(block)
            size += len(block)
    check_some(url, size)
    return FileIndex(url=url, bytes=size, fingerprint=state.hexdigest(), lines=None, cuts=(0,), starts=(0,))


def index_lines(url: str, lines_a_cut: int, block_bytes: int = _STEP_BYTES, *, has_header: bool = False) -> FileIndex:
    """Read a plain file of lines once; it can be cut at every so many lines, if it is UTF-8.

    Raises:
        InputError: The file is empty, no text, or all one line for want of line ends.
    """
    pass_ = _LinePass(lines_a_cut, block_bytes, has_header=has_header)
    with storage.open_input(url, block_bytes=BLOCK_BYTES) as file:
        while block := file.read(block_bytes):
            pass_.add(block)
    check_some(url, pass_.size)
    if encoding_of_head(pass_.begin, url) != UTF8:
        return FileIndex(url=url, bytes=pass_.size, fingerprint=pass_.fingerprint, lines=None, cuts=(0,), starts=(0,))
    if not pass_.newlines:
        _check_line_ends(url)
    return pass_.finish(url)


class _LinePass:
    """Takes a file of lines block by block, and finds the places of cuts and the digests of what stands between."""

    def __init__(self, lines_a_cut: int, block_bytes: int, *, has_header: bool) -> None:
        self.size = 0
        self.newlines = 0
        self.begin = b""
        self._every = lines_a_cut
        self._has_header = has_header
        self._cuts = [0]
        self._last = b""
        self._head = Extent(0, None if has_header else 0)
        self._whole, self._part = xxhash.xxh3_128(), xxhash.xxh3_128()
        self._parts: list[bytes] = []
        self._is_end = np.empty(block_bytes, np.bool_)

    @property
    def fingerprint(self) -> str:
        return self._whole.hexdigest()

    def add(self, block: bytes) -> None:
        self._whole.update(block)
        ends = np.equal(np.frombuffer(block, np.uint8), NEWLINE, out=self._is_end[: len(block)])
        count = int(np.count_nonzero(ends))
        if self._head.end is None:
            self._head.end = self.size + int(np.argmax(ends)) + 1 if count else None
            self._head.see(self.size, block)
        first = self._every - self.newlines % self._every
        # Where the ends stand is asked only of blocks that are cut.
        self._cut(block, (np.flatnonzero(ends)[first - 1 :: self._every] + 1).tolist() if count >= first else [])
        self.newlines += count
        self.begin += block[: HEAD_BYTES - len(self.begin)]
        self._last = block[-1:]
        self.size += len(block)

    def _cut(self, block: bytes, places: list[int]) -> None:
        view, used = memoryview(block), 0
        for place in places:
            self._part.update(view[used:place])
            self._parts.append(self._part.digest())
            self._part.reset()
            self._cuts.append(self.size + place)
            used = place
        self._part.update(view[used:])

    def finish(self, url: str) -> FileIndex:
        """What the pass tells, once there is no more."""
        lines = self.newlines + (self._last != b"\n")
        if self._cuts[-1] != self.size:
            self._cuts.append(self.size)
            self._parts.append(self._part.digest())
        head = [self._head.digest()] if self._has_header else []
        return FileIndex(
            url=url,
            bytes=self.size,
            fingerprint=self.fingerprint,
            lines=lines,
            cuts=tuple(self._cuts),
            starts=tuple(min(position * self._every, lines) for position in range(len(self._cuts))),
            digests=tuple(joined([*head, part]) for part in self._parts),
            head=self._head.place,
            begins_blank=not self.begin.removeprefix(BYTE_ORDER_MARK).strip(_BLANKS),
        )


def index_parquet(url: str, unit_rows: int, fields: Sequence[str], shape: Shape) -> FileIndex:
    """Read a Parquet file and its footer; it can be cut between row groups, small ones stay together.

    Args:
        url: The file.
        unit_rows: So many rows of neighbours are one part.
        fields: Columns of the texts and the score.
        shape: What the columns are.

    Raises:
        InputError: The file is empty or damaged, or lacks a column.
    """
    with storage.open_input(url, block_bytes=BLOCK_BYTES) as stored:
        check_some(url, size_of(stored))
        layout = parquet.read_layout(stored, url, fields, shape)
        groups = [[Extent(*span) for span in spans] for spans in layout.columns]
        footer = Extent(layout.size - len(layout.footer), layout.size)
        size, fingerprint = _digest(stored, [footer, *itertools.chain.from_iterable(groups)])
    if (size, footer.digest()) != (layout.size, xxhash.xxh3_128_digest(layout.footer)):
        raise changed(url, f"{size} bytes and another footer", f"{layout.size} bytes")
    chosen, starts = _group(layout.rows, unit_rows)
    return FileIndex(
        url=url,
        bytes=size,
        fingerprint=fingerprint,
        lines=sum(layout.rows),
        cuts=chosen,
        starts=starts,
        digests=tuple(
            joined([footer.digest(), *(extent.digest() for group in groups[begin:end] for extent in group)])
            for begin, end in itertools.pairwise(chosen)
        ),
    )


def _digest(stored: Stored, extents: Iterable[Extent]) -> tuple[int, str]:
    """Read a file from front to end, for all extents at once; its size and fingerprint."""
    waiting = deque(sorted(extents, key=lambda extent: extent.begin))
    reading: list[Extent] = []
    whole, place = xxhash.xxh3_128(), stored.seek(0)
    while block := stored.read(_STEP_BYTES):
        whole.update(block)
        while waiting and waiting[0].begin < place + len(block):
            reading.append(waiting.popleft())
        for extent in reading:
            extent.see(place, block)
        reading = [extent for extent in reading if extent.missing(1)]
        place += len(block)
    return place, whole.hexdigest()


def index_arrow(url: str, unit_rows: int) -> FileIndex:
    """Read an Arrow file once; it can be cut between record batches, unless these share dictionaries.

    Raises:
        InputError: The file is empty or damaged.
    """
    pass_ = _BatchPass(unit_rows)
    for step in arrow.scan(url, pass_.feed):
        pass_.end(step)
    return pass_.finish(url)


class _BatchPass:
    """Takes an Arrow file block by block and batch by batch; where to cut is known behind the batch after the cut.

    So its bytes are digested twice: as the next of those before it, and as the first of a new part.
    """

    def __init__(self, unit_rows: int) -> None:
        self._unit_rows = unit_rows
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

    def end(self, step: arrow.Scanned) -> None:
        """A step of the pass has ended."""
        if not self._cuts:
            self._cuts.append(step.end)
            self._head = self._part.digest()
            self._part.reset()
        elif step.stands_alone and self._begins_part(step.rows):
            self._close()
            self._part = self._batch.copy()
        self._rows, self._end = self._rows + step.rows, step.end
        self._before = self._part.digest()
        self._batch.reset()

    def _begins_part(self, rows: int) -> bool:
        return self._rows > self._starts[-1] and self._rows + rows - self._starts[-1] > self._unit_rows

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


def _group(rows: Sequence[int], unit_rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Neighbours put together while they have no more than `unit_rows` rows.

    Returns:
        The position at which each group begins and the last ends, and the rows before each.
    """
    chosen, starts = [0], [0]
    total = 0
    for position, count in enumerate(rows):
        if total > starts[-1] and total + count - starts[-1] > unit_rows:
            chosen.append(position)
            starts.append(total)
        total += count
    if total > starts[-1]:
        chosen.append(len(rows))
        starts.append(total)
    return tuple(chosen), tuple(starts)


def check_some(url: str, size: int) -> None:
    """Raise an InputError where a file, or the text in an archive, has no byte."""
    if size and codec_of(url) is not None:
        with open_plain(url) as stream:
            size = len(stream.read(1))
    if not size:
        raise empty(url)


def check_rows(format_: str, url: str, *, has_header: bool) -> None:
    """Raise an InputError where a file, or one side of a pair, has no row."""
    check_some(url, storage.size(url))
    if not has_rows(format_, url, has_header=has_header):
        raise empty(url)


def check_same(found: FileIndex) -> None:
    """Raise an InputError where a file is not what it was when it was indexed."""
    digest = storage.digest_file(found.url)
    if digest != found.fingerprint:
        raise changed(found.url, f"digest {digest}", f"digest {found.fingerprint}")


def empty(url: str) -> InputError:
    """The error of a file with nothing in it."""
    return InputError("the file is empty", where=storage.redact(url), expected="rows")


def has_rows(format_: str, url: str, *, has_header: bool) -> bool:
    """Whether a file, or one side of a pair, has a row; no more is read than it takes to see one."""
    if format_ == "parquet":
        return sum(parquet.count_rows(url)) > 0
    if format_ == "arrow":
        return arrow.has_rows(url)
    if format_ == "tmx":
        with open_plain(url) as stream:
            return has_units(stream, url)
    with open_text(url) as stream:
        batches = read_lines(stream, _LOOK_BYTES, _LOOK_BYTES)
        skipped = int(has_header)
        for batch in batches:
            rows = batch.part(min(skipped, len(batch)))
            skipped -= len(batch) - len(rows)
            if len(rows) and not (format_ == "jsonl" and not any(r.strip(_BLANKS) for r in rows.text.to_pylist())):
                return True
    return False


def _check_line_ends(url: str) -> None:
    """Raise an InputError where carriage returns stand in the place of line feeds."""
    with open_text(url) as stream:
        while stream.read(BLOCK_BYTES):
            pass
