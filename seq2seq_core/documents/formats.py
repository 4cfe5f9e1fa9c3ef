"""Whatever the format: an input in, its plan out; a range in, its content out; that and predictions in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.inputs import InputFile
from seq2seq_core.documents.jsonl import parse_jsonl, plan_jsonl, render_jsonl
from seq2seq_core.documents.lines import parse_text, plan_lines, read_lines, render_text
from seq2seq_core.documents.parquet import plan_rows, read_rows, render_rows
from seq2seq_core.documents.plan import InputPlan, RecordRange, UnitSize
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.files.compression import compress


def plan_input(file: InputFile, size: UnitSize, fields: Fields) -> InputPlan:
    """Count, digest and cut a file; an empty one has one empty range.

    Raises:
        InputError: It is damaged, has a field that is to be added, or something else that cannot pass through.
        StorageError: It cannot be read.
    """
    if file.format == "parquet":
        return plan_rows(file, size, fields)
    return plan_jsonl(file, size, fields) if file.format == "jsonl" else plan_lines(file, size)


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
        return render_rows(file, content, predictions, fields)
    if file.format == "jsonl":
        return compress(render_jsonl(content, predictions, fields), file.codec)
    return compress(render_text(content, predictions), file.codec)
