"""Files whose rows are lines in: where they can be cut, after one pass, and the lines of any part out."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xxhash

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.format import Format, Lack
from seq2seq_core.corpora.terms.index import STEP_BYTES, FileIndex, PartSize, check_some
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.compression import codec_of
from seq2seq_core.files.encodings import HEAD_BYTES, UTF8, encoding_of_head, open_text, text_of
from seq2seq_core.files.lines import BLOCK_BYTES, BYTE_ORDER_MARK, NEWLINE, Lines, decode, read_lines
from seq2seq_core.files.seal import Extent, Watched, joined

BLANKS = b" \t\r\n"
_LOOK_BYTES = 1 << 16
_LONGEST_LOOKED_AT, _MOST_LOOKS, _MOST_LOOKED_AT, _MOST_NAMES = 1 << 20, 64, 1000, 12


class Seen(NamedTuple):
    """The names of the fields of a row, and which of those that are wanted it has."""

    names: Sequence[str]
    wanted: Collection[str]


class LineFormat(Format):
    """A format with a row a line: plain files of it are cut at every so many lines, archives and UTF-16 are not."""

    rows_are_lines = True

    def index_file(self, source: Source, size: PartSize, url: str, /) -> FileIndex:
        if codec_of(url) is not None:
            return super().index_file(source, size, url)
        return index_lines(url, size.rows, has_header=self.header_lines(source) > 0)

    def has_rows(self, source: Source, url: str, /) -> bool:
        with open_text(url) as stream:
            skipped = self.header_lines(source)
            for batch in read_lines(stream, _LOOK_BYTES, _LOOK_BYTES):
                rows = batch.part(min(skipped, len(batch)))
                skipped -= len(batch) - len(rows)
                if self.holds_row(rows):
                    return True
        return False

    def holds_row(self, lines: Lines, /) -> bool:
        """Whether one of some lines is a row."""
        return len(lines) > 0

    def lacks(self, source: Source, url: str, /) -> Lack | None:
        absent, names, rows = dict.fromkeys(source.wanted), dict[str, None](), 0
        for line in _first_lines(url) if absent else ():
            seen = self.fields_in(line, source.wanted)
            if seen is None:
                continue
            rows += 1
            names |= dict.fromkeys(seen.names)
            absent = {field: None for field in absent if field not in seen.wanted}
            if not absent:
                return None
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        found = f"{', '.join([*names][:_MOST_NAMES]) or 'no field'}{more} in the first {rows:,} rows"
        return Lack(tuple(absent), found) if rows else None

    def fields_in(self, _line: str, _wanted: Sequence[str], /) -> Seen | None:
        """The fields of a line; None where it is no row, or rows are not looked at for their fields."""
        return None

    def why_whole(self, source: Source, /) -> tuple[str, str]:
        return super().why_whole(source) if source.is_packed else ("text that is not UTF-8", "converted to UTF-8")


def _first_lines(url: str) -> Iterator[str]:
    """The lines at the beginning of a file that are text."""
    left = _MOST_LOOKED_AT
    with open_text(url) as stream:
        for batch in itertools.islice(read_lines(stream, _LONGEST_LOOKED_AT, _LOOK_BYTES), _MOST_LOOKS):
            text, _ = decode(batch, _LONGEST_LOOKED_AT)
            yield from (line for line in text.slice(0, left).to_pylist() if line is not None)
            left -= len(text)
            if left <= 0:
                return


def lines_of(part: Part, position: int, file: Watched, max_line_bytes: int) -> Iterator[Lines]:
    """The lines of a part in one of its files."""
    start, end = part.ranges[position]
    return read_lines(text_of(file, part.source.urls[position], start, end), max_line_bytes, at_start=start == 0)


def index_lines(
    url: str, cuts: int | Sequence[int], block_bytes: int = STEP_BYTES, *, has_header: bool = False
) -> FileIndex:
    """Read a plain file of lines once; it can be cut at every so many lines, or behind those numbered, if it is UTF-8.

    Raises:
        InputError: The file is empty, no text, or all one line for want of line ends.
    """
    pass_ = _LinePass(cuts, block_bytes, has_header=has_header)
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

    def __init__(self, cuts: int | Sequence[int], block_bytes: int, *, has_header: bool) -> None:
        self.size = 0
        self.newlines = 0
        self.begin = b""
        self._cut_behind = cuts
        self._has_header = has_header
        self._cuts = [0]
        self._starts = [0]
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
        numbers = self._numbers(count)
        # Where the ends stand is asked only of blocks that are cut.
        self._cut(block, (np.flatnonzero(ends)[np.asarray(numbers) - 1] + 1).tolist() if numbers else [])
        self._starts += [self.newlines + number for number in numbers]
        self.newlines += count
        self.begin += block[: HEAD_BYTES - len(self.begin)]
        self._last = block[-1:]
        self.size += len(block)

    def _numbers(self, count: int) -> Sequence[int]:
        """Which of the next so many lines a cut stands behind, counted from 1."""
        if isinstance(self._cut_behind, int):
            return range(self._cut_behind - self.newlines % self._cut_behind, count + 1, self._cut_behind)
        first, last = (bisect.bisect_right(self._cut_behind, self.newlines + number) for number in (0, count))
        return [line - self.newlines for line in self._cut_behind[first:last]]

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
            self._starts.append(lines)
            self._parts.append(self._part.digest())
        head = [self._head.digest()] if self._has_header else []
        return FileIndex(
            url=url,
            bytes=self.size,
            fingerprint=self.fingerprint,
            lines=lines,
            cuts=tuple(self._cuts),
            starts=tuple(self._starts),
            digests=tuple(joined([*head, part]) for part in self._parts),
            head=self._head.place,
            begins_blank=not self.begin.removeprefix(BYTE_ORDER_MARK).strip(BLANKS),
        )


def _check_line_ends(url: str) -> None:
    """Raise an InputError where carriage returns stand in the place of line feeds."""
    with open_text(url) as stream:
        while stream.read(BLOCK_BYTES):
            pass
