"""A source in, one pass over its files, and the parts of it that workers read on their own out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.corpora.terms.index import PART_SECONDS, FileIndex, PartSize, check_same
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.seal import Seal

logger = logging.getLogger(__name__)

_LARGE_BYTES = 1 << 30


def index_source(
    source: Source, unit_rows: int, max_line_bytes: int, unit_seconds: float = PART_SECONDS
) -> tuple[FileIndex, ...]:
    """Read the files of a source once, both sides of a pair at the same time.

    Args:
        source: What to read.
        unit_rows: Lines, or about so many rows, from cut to cut.
        max_line_bytes: A header longer than this cannot be read.
        unit_seconds: Seconds of audio from cut to cut, where rows have any.

    Raises:
        InputError: A file is empty or damaged, lacks a column, or two plain files differ in their number of lines.
    """
    format_ = FORMATS[source.format]
    indexes = format_.index(source, PartSize(unit_rows, unit_seconds), max_line_bytes)
    if format_.may_be_empty(source, indexes[0]) and not format_.has_rows(source, source.urls[0]):
        for found in indexes:
            check_same(found)
        return tuple(found.model_copy(update={"lines": 0}) for found in indexes)
    return indexes


def cut(source: Source, indexes: Sequence[FileIndex]) -> list[Part]:
    """A part for each piece the index found; the whole, with a warning when it is large, where a file has no pieces.

    A file without rows, such as many tools write as one part of many, has no part, and a warning names it.
    """
    if indexes[0].lines == 0:
        logger.warning("%s: the file has no rows and is passed over", storage.redact(source.urls[0]))
        return []
    if any(found.lines is None and not found.is_shared for found in indexes):
        size = sum(found.bytes for found in indexes)
        if size > _LARGE_BYTES:
            what, advice = FORMATS[source.format].why_whole(source)
            message = "%s: %.1f GB of %s are read by one worker as one stream; %s, by many"
            logger.warning(message, storage.redact(source.urls[0]), size / 1e9, what, advice)
        return [Part.whole(source, tuple(Seal(digest=found.fingerprint) for found in indexes))]
    return [
        Part(
            source=source,
            ranges=tuple(_range(found, position) for found in indexes),
            first_line=1 + start,
            seals=tuple(_seal(found, position) for found in indexes),
        )
        for position, start in enumerate(indexes[0].starts[:-1])
    ]


def _range(found: FileIndex, position: int) -> tuple[int, int | None]:
    return (0, None) if found.is_shared else (found.cuts[position], found.cuts[position + 1])


def _seal(found: FileIndex, position: int) -> Seal:
    return Seal(digest=found.fingerprint if found.is_shared else found.digests[position], head=found.head)
