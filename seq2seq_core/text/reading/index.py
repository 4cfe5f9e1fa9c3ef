"""A raw file in, one pass over its bytes, its size, fingerprint and the places where it can be cut out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydantic
import xxhash

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.text.reading import arrow, parquet
from seq2seq_core.text.reading.compression import codec_of, open_plain
from seq2seq_core.text.reading.encodings import HEAD_BYTES, UTF8, encoding_of_head, open_text
from seq2seq_core.text.reading.lines import BLOCK_BYTES, NEWLINE, read_lines
from seq2seq_core.text.reading.tmx import has_units

_LOOK_BYTES = 1 << 16


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
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    bytes: int
    fingerprint: str
    lines: int | None
    cuts: tuple[int, ...]
    starts: tuple[int, ...]


def index_whole(url: str, block_bytes: int = BLOCK_BYTES) -> FileIndex:
    """Read a file that cannot be cut once; an InputError when it is empty."""
    state = xxhash.xxh3_128()
    size = 0
    with storage.open_input(url, block_bytes=block_bytes) as file:
        while block := file.read(block_bytes):
            state.update(block)
            size += len(block)
    check_some(url, size)
    return FileIndex(url=url, bytes=size, fingerprint=state.hexdigest(), lines=None, cuts=(0,), starts=(0,))


def index_lines(url: str, lines_a_cut: int, block_bytes: int = BLOCK_BYTES) -> FileIndex:
    """Read a plain file of lines once; it can be cut at every so many lines, if it is UTF-8.

    Raises:
        InputError: The file is empty, no text, or all one line for want of line ends.
    """
    state = xxhash.xxh3_128()
    size, newlines, head, last = 0, 0, b"", b""
    cuts = [0]
    is_end = np.empty(block_bytes, np.bool_)
    with storage.open_input(url, block_bytes=block_bytes) as file:
        while block := file.read(block_bytes):
            state.update(block)
            ends = np.equal(np.frombuffer(block, np.uint8), NEWLINE, out=is_end[: len(block)])
            count = int(np.count_nonzero(ends))
            first = lines_a_cut - newlines % lines_a_cut
            if count >= first:  # where the ends stand is asked only of blocks that are cut
                cuts += [size + int(end) + 1 for end in np.flatnonzero(ends)[first - 1 :: lines_a_cut]]
            newlines += count
            head += block[: HEAD_BYTES - len(head)]
            last = block[-1:]
            size += len(block)
    check_some(url, size)
    if encoding_of_head(head, url) != UTF8:
        return FileIndex(url=url, bytes=size, fingerprint=state.hexdigest(), lines=None, cuts=(0,), starts=(0,))
    if not newlines:
        _check_line_ends(url)
    lines = newlines + (last != b"\n")
    if cuts[-1] != size:
        cuts.append(size)
    starts = tuple(min(position * lines_a_cut, lines) for position in range(len(cuts)))
    return FileIndex(url=url, bytes=size, fingerprint=state.hexdigest(), lines=lines, cuts=tuple(cuts), starts=starts)


def index_parquet(url: str, unit_rows: int) -> FileIndex:
    """Read a Parquet file and its footer; it can be cut between row groups, small ones stay together.

    Raises:
        InputError: The file is empty or damaged.
    """
    whole = index_whole(url)
    rows = parquet.count_rows(url)
    chosen, starts = _group(rows, unit_rows)
    return whole.model_copy(update={"lines": sum(rows), "cuts": chosen, "starts": starts})


def index_arrow(url: str, unit_rows: int) -> FileIndex:
    """Read an Arrow file once; it can be cut between record batches, unless these share dictionaries.

    Raises:
        InputError: The file is empty or damaged.
    """
    state = xxhash.xxh3_128()
    found = arrow.scan(url, state.update)
    can_be_cut = not arrow.has_dictionaries(arrow.read_schema(url))
    chosen, starts = _group(found.rows, unit_rows if can_be_cut else max(1, sum(found.rows)))
    return FileIndex(
        url=url,
        bytes=storage.size(url),
        fingerprint=state.hexdigest(),
        lines=sum(found.rows),
        cuts=tuple(found.offsets[position] for position in chosen),
        starts=starts,
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
            if len(rows) and not (format_ == "jsonl" and not any(line.strip() for line in rows.text.to_pylist())):
                return True
    return False


def _check_line_ends(url: str) -> None:
    """Raise an InputError where carriage returns stand in the place of line feeds."""
    with open_text(url) as stream:
        while stream.read(BLOCK_BYTES):
            pass
