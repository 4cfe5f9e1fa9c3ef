"""A range of an input in, its content out, whatever the format; and content with its predictions in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_core.inference.records.compression import compress
from seq2seq_core.inference.records.content import Content
from seq2seq_core.inference.records.fields import Fields
from seq2seq_core.inference.records.inputs import InputFile
from seq2seq_core.inference.records.jsonl import parse_jsonl, render_jsonl
from seq2seq_core.inference.records.lines import parse_text, read_lines, render_text
from seq2seq_core.inference.records.parquet import read_rows, render_rows
from seq2seq_core.inference.records.plan import RecordRange
from seq2seq_core.inference.translator import Prediction


def read_content(file: InputFile, part: RecordRange, fields: Fields) -> Content[Any]:
    """The records of a range; an InputError where the file is damaged or has changed since it was counted."""
    if file.format == "parquet":
        return read_rows(file, part, fields)
    lines, ends_line = read_lines(file, part)
    if file.format == "jsonl":
        return parse_jsonl(lines, fields, ends_line=ends_line)
    return parse_text(lines, ends_line=ends_line)


def render_content(
    file: InputFile, content: Content[Any], predictions: Sequence[Prediction | None], fields: Fields
) -> bytes:
    """The bytes of an output file: the format and compression of the input, as many records, in the same order.

    Args:
        file: The input.
        content: Its records.
        predictions: One a record; None where nothing was translated.
        fields: What is added to each record.
    """
    if file.format == "parquet":
        return render_rows(content, predictions, fields)
    if file.format == "jsonl":
        return compress(render_jsonl(content, predictions, fields), file.codec)
    return compress(render_text(content, predictions), file.codec)
