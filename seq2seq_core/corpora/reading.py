"""A part of a source in, its rows out, whatever its format; an error where the file is not what was counted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from seq2seq_core import storage
from seq2seq_core.corpora.formats.table import FORMATS
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import READ_AHEAD_BYTES
from seq2seq_core.files.seal import Extent, Watched
from seq2seq_core.records import Sifted


def read_part(part: Part, max_line_bytes: int) -> Iterator[Sifted]:
    """The rows of a part in order, in batches of some megabytes.

    They may be believed when there are no more: a file that has changed is found at the end, or with the first error.

    Raises:
        InputError: A file is damaged, lacks a column, or is not what was counted, or the two sides have different
            numbers of lines.
    """
    with contextlib.ExitStack() as stack:
        files = [_open(part, position, stack) for position in range(len(part.source.urls))]
        try:
            yield from FORMATS[part.source.format].read(part, files, max_line_bytes)
        except InputError:  # of a file that has changed, that is what is wrong with it
            for file in files:
                file.check()
            raise
        for file in files:
            file.check()


def _open(part: Part, position: int, stack: contextlib.ExitStack) -> Watched:
    """A file of a part, which knows the range that is going to be read of it, where that is one."""
    url, seal = part.source.urls[position], part.seals[position] if part.seals else None
    in_order = FORMATS[part.source.format].in_order
    stored = storage.open_input(url, block_bytes=READ_AHEAD_BYTES if in_order else None)
    file = Watched(stack.enter_context(stored), url, seal)
    if in_order:
        head = [Extent(0, seal.head)] if seal is not None and seal.head else []
        file.expect([*head, Extent(*part.ranges[position])])
    return file
