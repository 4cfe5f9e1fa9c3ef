"""A source in, one pass over its files, and the parts of it that workers read on their own out."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from seq2seq_core import storage
from seq2seq_core.corpora.config import Part
from seq2seq_core.corpora.index import (
    FileIndex,
    check_same,
    has_rows,
    index_arrow,
    index_lines,
    index_parquet,
    index_whole,
)
from seq2seq_core.corpora.moses import unequal
from seq2seq_core.corpora.source import TextSource
from seq2seq_core.files.compression import codec_of
from seq2seq_core.files.seal import Seal

logger = logging.getLogger(__name__)

_LARGE_BYTES = 1 << 30


def index_source(source: TextSource, unit_rows: int, max_line_bytes: int) -> tuple[FileIndex, ...]:
    """Read the files of a source once, both sides of a pair at the same time.

    Args:
        source: What to read.
        unit_rows: Lines, or about so many rows, from cut to cut.
        max_line_bytes: A header longer than this cannot be read.

    Raises:
        InputError: A file is empty or damaged, lacks a column, or two plain files differ in their number of lines.
    """
    source.check(max_line_bytes)
    with ThreadPoolExecutor(len(source.urls)) as pool:
        indexes = tuple(pool.map(functools.partial(_index, source, unit_rows), source.urls))
    counts = [found.lines for found in indexes]
    if len(counts) == 2 and counts[0] is not None and counts[1] is not None and counts[0] != counts[1]:
        raise unequal((source.urls[0], source.urls[1]), (counts[0], counts[1]))
    if _may_be_empty(source, indexes[0]) and not has_rows(source.format, source.urls[0], has_header=source.has_header):
        for found in indexes:
            check_same(found)
        return tuple(found.model_copy(update={"lines": 0}) for found in indexes)
    return indexes


def cut(source: TextSource, indexes: Sequence[FileIndex]) -> list[Part]:
    """A part for each piece the index found; the whole, with a warning when it is large, where a file has no pieces.

    A file without rows, such as many tools write as one part of many, has no part, and a warning names it.
    """
    if indexes[0].lines == 0:
        logger.warning("%s: the file has no rows and is passed over", storage.redact(source.urls[0]))
        return []
    if any(found.lines is None for found in indexes):
        size = sum(found.bytes for found in indexes)
        if size > _LARGE_BYTES:
            what, advice = _why_whole(source)
            message = "%s: %.1f GB of %s are read by one worker as one stream; %s, by many"
            logger.warning(message, storage.redact(source.urls[0]), size / 1e9, what, advice)
        return [Part.whole(source, tuple(Seal(digest=found.fingerprint) for found in indexes))]
    return [
        Part(
            source=source,
            ranges=tuple((found.cuts[position], found.cuts[position + 1]) for found in indexes),
            first_line=1 + start,
            seals=tuple(Seal(digest=found.digests[position], head=found.head) for found in indexes),
        )
        for position, start in enumerate(indexes[0].starts[:-1])
    ]


def _may_be_empty(source: TextSource, found: FileIndex) -> bool:
    """Whether a file with bytes in it may have no rows, as far as the index tells."""
    if found.lines is None:
        return source.format in ("tmx", "jsonl") or source.has_header
    return found.lines == 1 if source.has_header else source.format == "jsonl" and found.begins_blank


def _why_whole(source: TextSource) -> tuple[str, str]:
    """What a file is that cannot be cut, and what to do."""
    if source.format == "tmx":
        return "TMX", "in several files"
    if source.can_be_cut:
        return "text that is not UTF-8", "converted to UTF-8"
    return "compressed", "unpacked, or in several files"


def _index(source: TextSource, unit_rows: int, url: str) -> FileIndex:
    if source.format == "tmx" or codec_of(url) is not None:
        return index_whole(url)
    if source.format == "parquet":
        return index_parquet(url, unit_rows, source.wanted, source.shape)
    if source.format == "arrow":
        return index_arrow(url, unit_rows)
    return index_lines(url, unit_rows, has_header=source.has_header)
