"""Lines in, each of them one text; and the lines of an output, as many as were read, out."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.documents.content import Content, decode_texts
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.lines import BYTE_ORDER_MARK, LineFormat, count_lines, join_lines, read_lines
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize
from seq2seq_core.files.compression import compress


class TextFormat(LineFormat):
    """A text a line."""

    called = "text"
    suffixes = (".txt",)
    has_fields = False
    is_named_by_side = True

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        del fields
        return count_lines(file, size)

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[list[bytes]]:
        del fields
        lines, ends_line = read_lines(file, part)
        return parse_text(lines, ends_line=ends_line)

    def render(
        self, file: InputFile, content: Content[list[bytes]], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        del fields
        return compress(render_text(content, predictions), file.codec)


def parse_text(lines: list[bytes], *, ends_line: bool) -> Content[list[bytes]]:
    """The text of each line, without a byte order mark or a `\\r` at its end; bytes that are not UTF-8 fail."""
    texts, failures = decode_texts([line.removeprefix(BYTE_ORDER_MARK).removesuffix(b"\r") for line in lines])
    return Content(texts, failures, lines, ends_line)


def render_text(content: Content[list[bytes]], predictions: Sequence[Prediction | None]) -> bytes:
    """As many lines as were read, each with the line end it had; a failed record is an empty line."""
    lines = [_render_line(raw, result) for raw, result in zip(content.carrier, predictions, strict=True)]
    return join_lines(lines, ends_line=content.ends_line)


def _render_line(raw: bytes, prediction: Prediction | None) -> bytes:
    # A line break inside an output would move every line after it.
    text = prediction.text.replace("\n", " ").encode("utf-8") if prediction else b""
    mark = BYTE_ORDER_MARK if raw.startswith(BYTE_ORDER_MARK) else b""
    return mark + text + (b"\r" if raw.endswith(b"\r") else b"")
