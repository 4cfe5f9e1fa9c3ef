"""A range of a line file in, its lines as bytes out; and the text format, where each line is one text."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.errors import InputError
from seq2seq_core.inference.records.content import Content, decode_texts
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.inference.records.plan import RecordRange
from seq2seq_core.inference.translator import Prediction
from seq2seq_core.text.reading.compression import ByteStream, open_plain

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BLOCK_BYTES = 1 << 22


def read_lines(file: InputFile, part: RecordRange) -> tuple[list[bytes], bool]:
    """The lines of a range without their `\\n`, and whether the last one had it.

    Compressed files are read from their start, and what comes before the range is thrown away.

    Raises:
        InputError: The range does not hold what was counted: the file has changed.
    """
    if file.codec:
        with open_plain(file.url) as plain:
            _skip(plain, part.offset)
            data = _read_all(plain, part.bytes)
    else:
        with open_plain(file.url, part.offset, part.offset + part.bytes) as plain:
            data = _read_all(plain, part.bytes)
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) != part.records or len(data) != part.bytes:
        raise InputError(
            "the file has changed since it was counted",
            where=f"{file.where}, records from {part.first}",
            found=f"{len(lines):,} lines, {len(data):,} bytes",
            expected=f"{part.records:,} lines, {part.bytes:,} bytes",
            advice="Run the same command again.",
        )
    return lines, data.endswith(b"\n")


def join_lines(lines: Sequence[bytes], *, ends_line: bool) -> bytes:
    """What `read_lines` has cut, together again."""
    return b"\n".join(lines) + (b"\n" if ends_line else b"")


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


def _skip(plain: ByteStream, count: int) -> None:
    while count and (block := plain.read(min(count, _BLOCK_BYTES))):
        count -= len(block)


def _read_all(plain: ByteStream, count: int) -> bytes:
    blocks: list[bytes] = []
    while count and (block := plain.read(min(count, _BLOCK_BYTES))):
        blocks.append(block)
        count -= len(block)
    return b"".join(blocks)
