"""THE TABLE of the formats of outputs that are not those of inputs: a name in, how a unit is written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.outputs.base import OutputFormat, rows_of
from seq2seq_core.documents.outputs.jsonl_rows import JsonlRows
from seq2seq_core.documents.outputs.n_best import NBest
from seq2seq_core.documents.outputs.parquet_rows import ParquetRows
from seq2seq_core.documents.outputs.tmx import TmxUnits
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import InputFile, RecordRange
from seq2seq_core.files.compression import compress, suffix_of

OUTPUTS: dict[str, OutputFormat] = {
    "jsonl": JsonlRows(),
    "parquet": ParquetRows(),
    "nbest": NBest(),
    "tmx": TmxUnits(),
}

if TYPE_CHECKING:
    OutputName = str
else:
    OutputName = Literal[tuple(OUTPUTS)]
"""The names, for configurations."""


def written_as(file: InputFile, name: str) -> InputFile:
    """The same input with outputs of another format, compressed as it is where they can be."""
    output = OUTPUTS[name]
    packed = suffix_of(file.codec) if file.codec and output.may_be_packed else ""
    return dataclasses.replace(file, suffix=output.suffix + packed, written=name)


def rendered(
    file: InputFile,
    part: RecordRange,
    content: Content[Any],
    predictions: Sequence[Prediction | None],
    fields: Fields,
) -> bytes:
    """The bytes of the output of a unit, in the format that is asked for; see `DocumentFormat.render`."""
    if file.written is None:
        return format_of(file).render(file, content, predictions, fields)
    output = OUTPUTS[file.written]
    data = output.render(list(rows_of(part.first, content, predictions)), fields)
    return compress(data, file.codec) if output.may_be_packed else data
