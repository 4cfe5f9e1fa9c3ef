"""The ranges of an input that is read from its start in; the same ranges out, with a piece each, after one reading.

Without pieces every unit of an archive would unpack all that stands before it, and every unit of a row group decode it
from its first row: twice the records, four times the work.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import xxhash

from seq2seq_core import storage
from seq2seq_core.documents.inputs import InputFile
from seq2seq_core.documents.lines import blocks_of, skip
from seq2seq_core.documents.pieces import lines_name, noted, publish_lines, publish_rows, rows_name
from seq2seq_core.documents.plan import RecordRange, changed
from seq2seq_core.documents.row_groups import open_range, read_batches
from seq2seq_core.files.compression import ByteStream, open_plain

_FEW_READINGS = 2


def layout_key(file: InputFile, part: RecordRange) -> str:
    """What ranges have in common that are laid out together: an archive, or a group of rows."""
    if file.format == "parquet":
        return f"{file.url} {part.offset} {part.bytes}"
    return file.url if file.codec else f"{file.url} {part.first}"


def lay_out(file: InputFile, parts: Iterable[RecordRange], folder: str) -> list[RecordRange]:
    """The ranges of one key, in order; where reading each by itself costs more, with pieces in the folder.

    Raises:
        InputError: The file has changed since it was counted, or is damaged.
    """
    parts = sorted(parts, key=lambda part: part.first)
    is_rows = file.format == "parquet"
    needs = [part for part in parts if is_rows or (file.codec and part.offset)]
    if len(needs) < (_FEW_READINGS + 1 if is_rows else _FEW_READINGS):
        return parts
    names = {part: rows_name(part) if is_rows else lines_name(part) for part in needs}
    present = set(storage.list_folder(folder))
    missing = [part for part in needs if names[part] not in present]
    if missing:
        urls = {part: storage.join(folder, names[part]) for part in missing}
        with noted(folder, file.where, list(names.values())):
            (_lay_out_rows if is_rows else _lay_out_lines)(file, urls)
    return [
        dataclasses.replace(part, piece=storage.join(folder, names[part])) if part in names else part for part in parts
    ]


def _lay_out_lines(file: InputFile, urls: dict[RecordRange, str]) -> None:
    position = 0
    with open_plain(file.url) as plain:
        for part, url in urls.items():
            skip(plain, part.offset - position)
            _copy(plain, file, part, url)
            position = part.offset + part.bytes


def _copy(plain: ByteStream, file: InputFile, part: RecordRange, url: str) -> None:
    digest = xxhash.xxh3_128()
    with publish_lines(url) as out:
        for block in blocks_of(plain, part.bytes):
            digest.update(block)
            out.write(block)
        if digest.hexdigest() != part.digest:
            raise changed(file, part, f"digest {digest.hexdigest()}", f"digest {part.digest}")


def _lay_out_rows(file: InputFile, urls: dict[RecordRange, str]) -> None:
    parts = list(urls)
    first, last = parts[0], parts[-1]
    whole = dataclasses.replace(first, records=last.first + last.records - first.first)
    with open_range(file, whole) as parquet:
        for part, table in _tables(read_batches(file, whole, parquet), parts, parquet.schema_arrow):
            publish_rows(urls[part], table)


def _tables(
    batches: Iterator[pa.RecordBatch], parts: Sequence[RecordRange], schema: pa.Schema
) -> Iterator[tuple[RecordRange, pa.Table]]:
    """The rows of each range, out of batches that begin with the first; no more is held than a range and a batch."""
    begin = end = parts[0].first
    held: deque[pa.RecordBatch] = deque()
    waiting = deque(parts)
    for batch in batches:
        held.append(batch)
        end += len(batch)
        while waiting and waiting[0].first + waiting[0].records <= end:
            part = waiting.popleft()
            yield part, pa.Table.from_batches(held, schema).slice(part.first - begin, part.records)
        while held and (not waiting or begin + len(held[0]) <= waiting[0].first):
            begin += len(held.popleft())
