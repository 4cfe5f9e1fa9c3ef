"""A stream of lines in, rows with nothing but a target side out: text to learn to generate."""

from __future__ import annotations

from collections.abc import Iterator

from seq2seq_core.corpora.rows import Shape
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Sifted


def read_texts(lines: Iterator[Lines], shape: Shape, first_line: int, max_line_bytes: int) -> Iterator[Sifted]:
    """Rows in order, one a line; an unreadable line is set aside.

    Args:
        lines: The lines.
        shape: Of a text alone.
        first_line: Number of the first line, from 1.
        max_line_bytes: Longer lines are unreadable.
    """
    for batch in lines:
        text, problems = decode(batch, max_line_bytes)
        yield shape.finish(first_line, [text], problems)
        first_line += len(batch)
