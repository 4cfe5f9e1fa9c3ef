"""Lines of text in, rows with nothing but a target side out: text to learn to generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seq2seq_core.corpora.formats.base.lines import LineFormat, lines_of
from seq2seq_core.corpora.terms.rows import Shape
from seq2seq_core.corpora.terms.source import Part
from seq2seq_core.files.lines import decode
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Sifted


class PlainText(LineFormat):
    """A text a line; the first words of it may be the source."""

    called = "text a segment a line"
    given_by = ("text",)

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        shape, first_line = Shape(1, prompt_words=part.source.prompt_words), part.first_line
        for batch in lines_of(part, 0, files[0], max_line_bytes):
            text, problems = decode(batch, max_line_bytes)
            yield shape.finish(first_line, [text], problems)
            first_line += len(batch)
