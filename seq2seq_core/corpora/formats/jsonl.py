"""Files with a JSON object a line in, rows of some of its fields out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.corpora.formats.base.format import SIDES
from seq2seq_core.corpora.formats.base.lines import BLANKS, LineFormat, Seen, lines_of
from seq2seq_core.corpora.formats.base.objects import BLANK, Field, fields_in, read_objects
from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.corpora.terms.source import Part, Source
from seq2seq_core.files.lines import Lines
from seq2seq_core.files.seal import Watched
from seq2seq_core.records import Sifted


class JsonLines(LineFormat):
    """An object a line.

    A blank line is no row, wherever it stands: files end in one, and so does the middle of two files put together.
    """

    called = "a JSONL file"
    suffixes = (".jsonl", ".ndjson")
    default_fields = SIDES

    def may_be_empty(self, _source: Source, found: FileIndex, /) -> bool:
        return found.lines is None or found.begins_blank

    def holds_row(self, lines: Lines, /) -> bool:
        return any(line.strip(BLANKS) for line in lines.text.to_pylist())

    def fields_in(self, line: str, wanted: Sequence[str], /) -> Seen | None:
        return fields_in(line, wanted)

    def read(self, part: Part, files: Sequence[Watched], max_line_bytes: int, /) -> Iterator[Sifted]:
        shape, first_line = part.source.shape, part.first_line
        kinds = (pa.string(),) * shape.texts + (pa.float64(),) * shape.scored + (pa.string(),) * shape.aligned
        wanted = [Field(name, kind) for name, kind in zip(part.source.wanted, kinds, strict=True)]
        for batch in lines_of(part, 0, files[0], max_line_bytes):
            columns, problems = read_objects(batch, wanted, max_line_bytes)
            yield _without_blanks(shape.finish(first_line, columns, problems))
            first_line += len(batch)


def _without_blanks(sifted: Sifted) -> Sifted:
    is_row = pc.not_equal(sifted.rejected.column("rule"), BLANK)
    return Sifted(sifted.kept, sifted.rejected.filter(is_row))
