"""Inputs in, the pieces of them that a sample is read from, and their rows, out: the same pieces each time.

Plain files are cut at every n-th line, as far as a bounded number of bytes, and one piece of each of as many equal
stretches as are needed is chosen by digest. Of larger files with both sides in one, pieces start behind offsets chosen
likewise, wherever they lie. What cannot be cut is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.corpora.reading import read_part
from seq2seq_core.corpora.terms.index import check_some
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.files.compression import text_bytes
from seq2seq_core.files.encodings import UTF8, encoding_of
from seq2seq_core.files.lines import BLOCK_BYTES, NEWLINE
from seq2seq_core.preparation.shuffle.hashing import digests
from seq2seq_core.preparation.terms.messages import Input
from seq2seq_core.preparation.terms.octets import halves
from seq2seq_core.records import Sifted

_MOST_FILES = 200
_LEAST_PIECE, _MOST_PIECE, _PIECES = 10, 1000, 100
_MOST_CUT_BYTES = 1 << 30


@dataclass(frozen=True)
class Piece:
    """Some consecutive rows of an input.

    Attributes:
        origin: What its rows are said to come from.
        part: Where to read, `rows` rows from its start.
        before: Lines before its first, where they are known; its lines are numbered from there.
    """

    origin: str
    part: Part
    rows: int
    before: int


@dataclass(frozen=True)
class Choice:
    """The pieces of an input, and how they lie in it, in words."""

    input: Input
    pieces: tuple[Piece, ...]
    manner: str


def choose(inputs: Sequence[Input], rows: int, most_cut_bytes: int = _MOST_CUT_BYTES) -> list[Choice]:
    """Pieces of about `rows` rows together; each input has its share by its size.

    Of very many inputs only some are looked at, chosen by digest.

    Raises:
        InputError, StorageError: A file cannot be read, or has no byte.
    """
    order = np.argsort(_numbers([input_.origin for input_ in inputs]), kind="stable")[:_MOST_FILES]
    chosen = [inputs[i] for i in sorted(order.tolist())]
    sizes = [_text_bytes(input_) for input_ in chosen]
    length = min(_MOST_PIECE, max(_LEAST_PIECE, rows // _PIECES))
    total = max(1, sum(sizes))
    return [
        _choose(input_, max(1, round(rows * size / total)), length, most_cut_bytes)
        for input_, size in zip(chosen, sizes, strict=True)
    ]


def read_piece(piece: Piece, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a piece; errors as in `read_part`."""
    begin = piece.part.first_line
    source = piece.part.source
    end = begin + piece.rows + (FORMATS[source.format].header_lines(source) if begin == 1 else 0)
    for batch in read_part(piece.part, max_line_bytes):
        yield _until(batch, end, begin - 1 - piece.before)
        if _last_line(batch) >= end - 1:
            return


def _choose(input_: Input, rows: int, length: int, most_cut_bytes: int) -> Choice:
    source = input_.source
    is_plain = FORMATS[source.format].rows_are_lines and not source.is_packed
    if not is_plain or any(encoding_of(url) != UTF8 for url in source.urls):
        return Choice(input_, (Piece(input_.origin, Part.whole(source), rows, 0),), "from the beginning")
    count = -(-rows // length)
    size = max(storage.size(url) for url in source.urls)
    if size > most_cut_bytes and len(source.urls) == 1:
        return Choice(input_, tuple(_anywhere(input_, count, length, size)), "all over the file")
    cuts = [_cut(url, length, most_cut_bytes) for url in source.urls]
    manner = "all over the file" if size <= most_cut_bytes else f"all over the first {most_cut_bytes >> 20:,} MiB"
    return Choice(input_, tuple(_pieces(input_, cuts, count, length)), manner)


def _pieces(input_: Input, cuts: Sequence[npt.NDArray[np.int64]], count: int, length: int) -> Iterator[Piece]:
    """So many of the pieces between cuts."""
    for i in _spread(input_.origin, count, min(len(cut) for cut in cuts) - 1):
        ranges = tuple((int(cut[i]), int(cut[i + 1])) for cut in cuts)
        part = Part(source=input_.source, ranges=ranges, first_line=1 + i * length)
        yield Piece(input_.origin, part, length, i * length)


def _anywhere(input_: Input, count: int, length: int, size: int) -> Iterator[Piece]:
    """Pieces behind offsets all over a file; how many lines stand before them is not known."""
    end = 0
    for offset in _spread(input_.origin, count, size):
        begin = _line_ends(input_.source.urls[0], max(offset, end), 1)[0]
        end = _line_ends(input_.source.urls[0], begin, length)[1]
        if begin < end:
            part = Part(source=input_.source, ranges=((begin, end),), first_line=2)  # 1 would be a header's
            yield Piece(f"{input_.origin}@{begin}", part, length, 0)


def _spread(name: str, count: int, size: int) -> list[int]:
    """At most so many different positions below a size: one in each of as many equal stretches, by digest."""
    count = min(count, size)
    bounds = [i * size // count for i in range(count + 1)] if count else [0]
    numbers = _numbers([f"{name}:{i}" for i in range(count)]).tolist()
    return [a + number % (b - a) for number, a, b in zip(numbers, bounds[:-1], bounds[1:], strict=True)]


def _cut(url: str, every: int, most_bytes: int) -> npt.NDArray[np.int64]:
    """Offsets of the lines 0, n, 2n, ... among the first bytes of a file, and its end if it is reached."""
    cuts, newlines, size, ended = [0], 0, 0, False
    with storage.open_input(url, block_bytes=BLOCK_BYTES) as file:
        while size < most_bytes and not ended:
            block = file.read(BLOCK_BYTES)
            found = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
            first = -newlines % every or every
            cuts += (found[first - 1 :: every] + size + 1).tolist()
            newlines += len(found)
            size += len(block)
            ended = not block
    if ended and cuts[-1] != size:
        cuts.append(size)
    return np.array(cuts, np.int64)


def _line_ends(url: str, offset: int, count: int) -> tuple[int, int]:
    """Behind the first and behind the `count`-th line end from an offset on; the file's end where there are fewer."""
    ends: list[int] = []
    with storage.open_input(url) as file:
        file.seek(offset)
        while len(ends) < count and (block := file.read(1 << 16)):
            found = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
            ends += (found + offset + 1).tolist()
            offset += len(block)
    return (ends[0], ends[min(count, len(ends)) - 1]) if ends else (offset, offset)


def _until(batch: Sifted, end: int, shift: int) -> Sifted:
    """The rows before a line, their lines renumbered."""
    kept = batch.kept.filter(pc.less(batch.kept.lines, end))
    rejected = batch.rejected.filter(pc.less(batch.rejected.column("line"), end))
    lines = pc.subtract(rejected.column("line"), shift)
    return Sifted(
        replace(kept, lines=pc.subtract(kept.lines, shift)),
        rejected.set_column(0, rejected.schema.field(0), lines),
    )


def _last_line(batch: Sifted) -> int:
    columns = (batch.kept.lines, batch.rejected.column("line"))
    return max((column[-1].as_py() for column in columns if len(column)), default=0)


def _numbers(names: Sequence[str]) -> npt.NDArray[np.uint64]:
    """A number from the digest of each name."""
    return halves(digests(pa.array(names, pa.string())))[0]


def _text_bytes(input_: Input) -> int:
    """About how many bytes of text its files hold, or an InputError where one holds none."""
    total = 0
    for url in input_.source.urls:
        size = storage.size(url)
        check_some(url, size)
        total += text_bytes(url, size)
    return total
