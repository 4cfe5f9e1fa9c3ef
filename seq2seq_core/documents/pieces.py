"""What an input holds in one range in; a copy of it by itself out, under a folder of ours, until all is done.

A piece is named by what it holds and published whole, so a rerun finds those of a killed run. A record, published
before the pieces it names, says which files are ours to remove. A piece that is gone is no error: the input has it too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

import pyarrow as pa
import pydantic
import xxhash
import zstandard

from seq2seq_core import storage
from seq2seq_core.documents.ranges import InputFile, RecordRange
from seq2seq_core.files.damage import FAILURES

_LINES, _ROWS, _RECORD = ".zst", ".arrow", ".json"
_RECORD_NAME = re.compile(r"[0-9a-f]{32}\.json")
_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.tmp")
_LEVEL = 1
_DIGEST_BYTES = 16


class PieceRecord(pydantic.BaseModel):
    """Which files of the folder are the pieces of an input."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    input: str
    pieces: tuple[str, ...]


def lines_name(part: RecordRange) -> str:
    """The name of a range of lines; ranges with the same bytes share it."""
    return part.digest + _LINES


def rows_name(part: RecordRange) -> str:
    """The name of a range of rows: the digest of a range is that of all the row groups that hold it."""
    return storage.digest_bytes(f"{part.digest} {part.first} {part.records} {part.int96}".encode()) + _ROWS


def with_pieces(
    file: InputFile,
    parts: Sequence[RecordRange],
    names: Mapping[RecordRange, str],
    folder: str,
    copy: Callable[[InputFile, dict[RecordRange, str]], None],
) -> list[RecordRange]:
    """The ranges, those that have a name with a piece of that name in the folder.

    Args:
        file: What the ranges are of.
        parts: All of them, in order.
        names: The names of those to be laid out.
        folder: Of the pieces.
        copy: Writes pieces to their URLs, in one reading of the file; called for those that are not there yet.
    """
    present = set(storage.list_folder(folder))
    missing = {part: storage.join(folder, name) for part, name in names.items() if name not in present}
    if missing:
        with noted(folder, file.where, list(names.values())):
            copy(file, missing)
    return [
        dataclasses.replace(part, piece=storage.join(folder, names[part])) if part in names else part for part in parts
    ]


@contextlib.contextmanager
def noted(folder: str, where: str, names: Sequence[str]) -> Iterator[None]:
    """Publish the record of the pieces of an input before the first of them, and again should it be gone at the end."""
    record = PieceRecord(input=where, pieces=tuple(names)).model_dump_json()
    url = storage.join(folder, storage.digest_bytes(record.encode()) + _RECORD)
    storage.publish_text(url, record)
    yield
    if not storage.exists(url):  # an equal run has ended before this one
        storage.publish_text(url, record)


@contextlib.contextmanager
def publish_lines(url: str) -> Iterator[IO[bytes]]:
    """A writer of the bytes of a range of lines; when the block raises, nothing appears."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    with storage.publish(url) as out, compressor.stream_writer(out, closefd=False) as packed:
        yield packed


def publish_rows(url: str, table: pa.Table) -> None:
    """Write the rows of a range, with their digest before them: Arrow's files have none."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    data = out.getvalue()
    storage.publish_bytes(url, xxhash.xxh3_128_digest(data) + data)


def read_piece(url: str) -> pa.Table | None:
    """The rows of a range; None where the piece is damaged or gone."""
    data = storage.read_if_there(url) or b""
    try:
        if xxhash.xxh3_128_digest(data[_DIGEST_BYTES:]) != data[:_DIGEST_BYTES]:
            return None
        return pa.ipc.open_stream(pa.py_buffer(data)[_DIGEST_BYTES:]).read_all()
    except FAILURES:
        return None


def clear_pieces(folder: str) -> None:
    """Remove the pieces that a record names, what killed runs left of them, and the records; nothing else."""
    found = storage.list_folder(folder)
    records = {name: named for name in found if (named := _read_record(folder, name))}
    ours = {piece for named in records.values() for piece in named.pieces}
    for name in found:
        temporary = _TEMPORARY.fullmatch(name)
        if name in ours or (temporary and (temporary[1] in ours or _RECORD_NAME.fullmatch(temporary[1]))):
            storage.remove(storage.join(folder, name))
    for name in records:
        storage.remove(storage.join(folder, name))
    storage.remove_empty_folder(folder)


def _read_record(folder: str, name: str) -> PieceRecord | None:
    if not _RECORD_NAME.fullmatch(name):
        return None
    try:
        return PieceRecord.model_validate_json(storage.read_if_there(storage.join(folder, name)) or b"")
    except pydantic.ValidationError:
        return None
