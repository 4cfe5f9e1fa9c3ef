"""A file that is one document in, its texts out; and the document again with answers in their places, whole.

Where lines and rows are records that stand by themselves, here the file is one unit of work, and a record is a text in
it: a paragraph, a heading, a cue. A file that cannot be read is one record that fails, and stands in the output as it
is (empty, where it is larger than a record may be): others must not be lost with it.
"""

from __future__ import annotations

import abc
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import xxhash

from seq2seq_core import storage
from seq2seq_core.documents.content import MAX_RECORD_BYTES, Content, RecordFailure, UnreadableError, excerpt, read_text
from seq2seq_core.documents.fields import Fields, Handling
from seq2seq_core.documents.format import DocumentFormat
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import BLOCK_BYTES, CountedInput, InputFile, RecordRange, UnitSize, changed
from seq2seq_core.documents.structured.slots import Slot, edited, edits
from seq2seq_core.files.compression import ByteStream, compress, unpacked


class Document(Protocol):
    """A document that has been read: its texts, in order, and a way to write it with answers in their places."""

    @property
    def slots(self) -> Sequence[Slot]: ...

    def write(self, answers: Sequence[str | None]) -> bytes: ...


@dataclass(frozen=True)
class TextDocument:
    """A document of UTF-8.

    Attributes:
        raw: All of it.
        slots: Its texts.
        spell: Writes an answer in the place of a slot.
    """

    raw: str
    slots: Sequence[Slot]
    spell: Callable[[Slot, str], str]

    def write(self, answers: Sequence[str | None]) -> bytes:
        return edited(self.raw, edits(self.slots, answers, self.spell)).encode("utf-8")


@dataclass(frozen=True)
class _Unread:
    """A document that cannot be read, and stays as it is."""

    data: bytes
    slots: Sequence[Slot] = field(default=())

    def write(self, _answers: Sequence[str | None]) -> bytes:
        return self.data


class WholeFormat(DocumentFormat):
    """What formats have in common whose files are documents."""

    has_fields = False
    may_be_packed = True
    is_whole = True

    @abc.abstractmethod
    def open(self, data: bytes, handling: Handling) -> Document:
        """A document of its plain bytes; an UnreadableError where they are none."""

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        del size
        with storage.open_input(file.url, block_bytes=BLOCK_BYTES) as stored:
            whole = _taken(stored)
            stored.seek(0)
            plain = _taken(unpacked(stored, file.url)) if file.codec else whole
        records = len(self._parse(plain.data, fields).texts)
        part = RecordRange(0, records, 0, plain.bytes, plain.digest)
        return CountedInput(file, whole.digest, whole.bytes, (part,))

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[Document]:
        with storage.open_input(file.url, block_bytes=BLOCK_BYTES) as stored:
            plain = _taken(unpacked(stored, file.url))
        if (plain.digest, plain.bytes) != (part.digest, part.bytes):
            raise changed(file, part, f"digest {plain.digest}", f"digest {part.digest}")
        return self._parse(plain.data, fields)

    def render(
        self, file: InputFile, content: Content[Document], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        del fields
        answers = [None if prediction is None else prediction.text for prediction in predictions]
        return compress(content.carrier.write(answers[: len(content.carrier.slots)]), file.codec)

    def _parse(self, data: bytes, fields: Fields) -> Content[Document]:
        try:
            document = self.open(_short(data), fields.handling)
        except UnreadableError as error:
            whole = b"" if len(data) > MAX_RECORD_BYTES else data
            failure = RecordFailure(0, str(error), excerpt(data))
            return Content([None], [failure], _Unread(whole))
        tags = {record: (slot.tags, slot.line_end) for record, slot in enumerate(document.slots)}
        return Content([slot.text for slot in document.slots], [], document, is_prose=True, tags=tags)


def _short(data: bytes) -> bytes:
    if len(data) > MAX_RECORD_BYTES:
        raise UnreadableError(f"longer than {MAX_RECORD_BYTES >> 20} MiB")
    return data


def decoded(data: bytes) -> str:
    """A document of UTF-8 as text, with the byte order mark it may have; an UnreadableError where it is none."""
    return read_text(data)


@dataclass(frozen=True)
class _Taken:
    """What was read of a stream: as much as a record may have and one byte more, the digest and the number of all."""

    data: bytes
    digest: str
    bytes: int


def _taken(stream: ByteStream) -> _Taken:
    digest, count = xxhash.xxh3_128(), 0
    kept = io.BytesIO()
    while block := stream.read(BLOCK_BYTES):
        digest.update(block)
        count += len(block)
        kept.write(block[: max(0, MAX_RECORD_BYTES + 1 - kept.tell())])
    return _Taken(kept.getvalue(), digest.hexdigest(), count)
