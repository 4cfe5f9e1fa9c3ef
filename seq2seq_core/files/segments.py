"""Text files in, their lines as a list out: for scoring, where a whole test set is looked at at once."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.encodings import open_text
from seq2seq_core.files.lines import decode, read_lines
from seq2seq_core.listing import expand

_MAX_LINE_BYTES = 1 << 26


def read_segments(patterns: Sequence[str]) -> list[str]:
    """The lines of files or globs (plain or compressed) in order; a final line feed ends the last line.

    Raises:
        StorageError: A pattern names no file.
        InputError: A line cannot be decoded, a file is no text, or an archive is damaged.
    """
    return [line for pattern in patterns for url in expand(pattern) for line in _read_file(url)]


def _read_file(url: str) -> list[str]:
    lines: list[str] = []
    with open_text(url) as stream:
        for block in read_lines(stream, _MAX_LINE_BYTES):
            texts, problems = decode(block, _MAX_LINE_BYTES)
            if problems:
                first = problems[0]
                where = f"{storage.redact(url)}:{len(lines) + first.row + 1}"
                raise InputError("the line cannot be read", where=where, found=first.value, expected=first.threshold)
            lines += texts.to_pylist()
    return lines
