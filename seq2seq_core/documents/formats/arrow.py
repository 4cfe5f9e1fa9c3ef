"""Rows of an Arrow file in, their texts out; and the rows with translations as new columns, as an Arrow stream.

Such are the files of a saved dataset of Hugging Face. The JSON files beside them tell of these very files, and are no
documents. A stream can only be read from its start, so units have pieces.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.pieces import publish_rows, read_piece, rows_name, with_pieces
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import BLOCK_BYTES, CountedInput, InputFile, RecordRange, UnitSize, changed, cut_rows
from seq2seq_core.documents.rows import check_columns, content_of, tables_of, with_answers
from seq2seq_core.files.damage import FAILURES, check_names, damaged

_FILE_MAGIC = b"ARROW1"
_FEW_READINGS = 2


class ArrowFormat(DocumentFormat):
    """A record a row, in a stream of Arrow or a file of Arrow that is read from its end."""

    called = "Arrow"
    suffixes = (".arrow",)
    beside = ("state.json", "dataset_info.json", "dataset_dict.json")

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        with storage.open_input(file.url, block_bytes=BLOCK_BYTES) as stored:
            digest, count = _digest(stored)
            with _opened(file, stored) as (schema, batches):
                check_names(schema)
                check_columns(schema, fields, file.where)
                rows = sum(len(batch) for batch in batches)
        ranges = (dataclasses.replace(part, bytes=count, digest=digest) for part in cut_rows(rows, size))
        return CountedInput(file, digest, count, tuple(ranges))

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[pa.Table]:
        table = read_piece(part.piece) if part.piece else None
        if table is None:
            ((_, table),) = _tables(file, [part])
        return content_of(table, fields)

    def render(
        self, file: InputFile, content: Content[pa.Table], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        del file
        table, out = with_answers(content, predictions, fields), io.BytesIO()
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        return out.getvalue()

    def read_together(self, file: InputFile, part: RecordRange) -> str:
        """All of a file."""
        del part
        return file.url

    def lay_out(self, file: InputFile, parts: Iterable[RecordRange], folder: str, /) -> list[RecordRange]:
        parts = sorted(parts, key=lambda part: part.first)
        if len(parts) < _FEW_READINGS:
            return parts
        return with_pieces(file, parts, {part: rows_name(part) for part in parts}, folder, _copy)


def _copy(file: InputFile, urls: dict[RecordRange, str]) -> None:
    """Write the pieces of ranges, in order, in one reading of the file."""
    for part, table in _tables(file, list(urls)):
        publish_rows(urls[part], table)


def _tables(file: InputFile, parts: Sequence[RecordRange]) -> Iterator[tuple[RecordRange, pa.Table]]:
    """The rows of ranges, which are in order; an InputError where the file is not what was counted."""
    with storage.open_input(file.url, block_bytes=BLOCK_BYTES) as stored:
        digest, _ = _digest(stored)
        if digest != parts[0].digest:
            raise changed(file, parts[0], f"digest {digest}", f"digest {parts[0].digest}", "rows")
        with _opened(file, stored) as (schema, batches):
            yield from _of_ranges(schema, batches, parts)


def _of_ranges(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], parts: Sequence[RecordRange]
) -> Iterator[tuple[RecordRange, pa.Table]]:
    """The rows of each range; what stands before the first is passed over."""
    if not any(part.records for part in parts):
        yield from ((part, schema.empty_table()) for part in parts)
        return
    yield from tables_of(_from(batches, parts[0].first), parts, schema)


def _from(batches: Iterator[pa.RecordBatch], first: int) -> Iterator[pa.RecordBatch]:
    left = first
    for batch in batches:
        if left < len(batch):
            yield batch.slice(left)
        left = max(0, left - len(batch))


@contextlib.contextmanager
def _opened(file: InputFile, stored: IO[bytes]) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and the batches of a file; an InputError where it is damaged."""
    try:
        stored.seek(0)
        head = stored.read(len(_FILE_MAGIC))
        stored.seek(0)
        if head == _FILE_MAGIC:
            reader = pa.ipc.open_file(pa.PythonFile(stored, "r"))
            yield reader.schema, (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            stream = pa.ipc.open_stream(pa.PythonFile(stored, "r"))
            yield stream.schema, iter(stream)
    except FAILURES as error:
        raise damaged("Arrow", file.url, error, "in its batches of rows") from None


def _digest(stored: IO[bytes]) -> tuple[str, int]:
    """The digest and the size of a file."""
    digest, count = xxhash.xxh3_128(), 0
    stored.seek(0)
    while block := stored.read(BLOCK_BYTES):
        digest.update(block)
        count += len(block)
    return digest.hexdigest(), count
