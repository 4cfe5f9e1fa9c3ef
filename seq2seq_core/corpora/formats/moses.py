"""Two files of lines in, rows that pair line i of one with line i of the other out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.corpora.formats.base.format import SIDES
from seq2seq_core.corpora.formats.base.lines import LineFormat, lines_of
from seq2seq_core.corpora.terms.index import FileIndex, PartSize
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.errors import InputError
from seq2seq_core.files.lines import Lines, decode
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Records, Sifted, set_aside


class Moses(LineFormat):
    """A file for each side, a segment a line."""

    called = "a Moses pair"
    given_by = SIDES

    def index(self, source: Source, size: PartSize, max_line_bytes: int, /) -> tuple[FileIndex, ...]:
        indexes = super().index(source, size, max_line_bytes)
        one, other = (found.lines for found in indexes)
        if one is not None and other is not None and one != other:
            raise _unequal(source.urls, (one, other))
        return indexes

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        lines = [lines_of(part, position, file, max_line_bytes) for position, file in enumerate(files)]
        pending = [next(side, None) for side in lines]
        line = part.first_line
        while pending[0] is not None and pending[1] is not None:
            count = min(len(pending[0]), len(pending[1]))
            yield _pair(pending[0].part(0, count), pending[1].part(0, count), line, max_line_bytes)
            line += count
            pending = [_rest(pending[0], count, lines[0]), _rest(pending[1], count, lines[1])]
        if pending[0] is not None or pending[1] is not None:
            counts = [
                line - 1 + (len(first) if first else 0) + sum(map(len, rest))
                for first, rest in zip(pending, lines, strict=True)
            ]
            raise _unequal(part.source.urls, counts)


def _unequal(names: Sequence[str], counts: Sequence[int]) -> InputError:
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
    return set_aside(Records(numbers, source_text, target_text), problems)
