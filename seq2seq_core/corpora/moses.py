"""Two streams of lines in, rows that pair line i of one with line i of the other out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.records import Sifted, set_aside


def pair_lines(
    source: Iterator[Lines], target: Iterator[Lines], names: tuple[str, str], first_line: int, max_line_bytes: int
) -> Iterator[Sifted]:
    """Rows in order, in batches of about a block; a row with an unreadable side is set aside.

    Args:
        source: Lines of the source side.
        target: Lines of the target side.
        names: The two files, for messages.
        first_line: Number of the first line, from 1.
        max_line_bytes: Longer lines are unreadable.

    Raises:
        InputError: One side has more lines than the other; both files and counts are named.
    """
    pending: list[Lines | None] = [next(source, None), next(target, None)]
    line = first_line
    while pending[0] is not None and pending[1] is not None:
        count = min(len(pending[0]), len(pending[1]))
        yield _pair(pending[0].part(0, count), pending[1].part(0, count), line, max_line_bytes)
        line += count
        pending = [_rest(pending[0], count, source), _rest(pending[1], count, target)]
    if pending[0] is not None or pending[1] is not None:
        counts = [
            line - 1 + (len(lines) if lines else 0) + sum(map(len, rest))
            for lines, rest in zip(pending, (source, target), strict=True)
        ]
        raise unequal(names, (counts[0], counts[1]))


def unequal(names: tuple[str, str], counts: tuple[int, int]) -> InputError:
    """The error of a pair whose files have different numbers of lines."""
    files = [f"{storage.redact(name)} has {count} lines" for name, count in zip(names, counts, strict=True)]
    return InputError(
        "the two sides of a corpus differ in length",
        found=" and ".join(files),
        expected="as many lines in both",
        advice="Line i of one file must translate line i of the other; only a line feed ends a line.",
    )


def _rest(lines: Lines, used: int, stream: Iterator[Lines]) -> Lines | None:
    return lines.part(used) if used < len(lines) else next(stream, None)


def _pair(source: Lines, target: Lines, first_line: int, max_line_bytes: int) -> Sifted:
    source_text, problems = decode(source, max_line_bytes)
    target_text, more = decode(target, max_line_bytes)
    problems = [p._replace(value=f"source {p.value}") for p in problems]
    problems += [p._replace(value=f"target {p.value}") for p in more]
    numbers = pa.array(np.arange(first_line, first_line + len(source), dtype=np.int64))
    return set_aside(numbers, source_text, target_text, problems)
