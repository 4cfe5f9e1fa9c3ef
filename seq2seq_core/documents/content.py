"""What a unit of work holds between reading and writing: the texts to translate and the records they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from seq2seq_core.text.marks import filled

EXCERPT_CHARACTERS = 200
MAX_RECORD_BYTES = 1 << 26
"""A longer line is no record but a file without line ends: it fails alone, and is never held whole."""

Carrier = TypeVar("Carrier")


class UnreadableError(Exception):
    """Why bytes are no text."""


@dataclass(frozen=True)
class RecordFailure:
    """A record that was not translated; `record` counts from 0 within the unit.

    Attributes:
        excerpt: Its beginning.
        original: All of it, where the output has no place for it.
    """

    record: int
    reason: str
    excerpt: str
    original: bytes | None = None


@dataclass(frozen=True)
class Content(Generic[Carrier]):
    """The records of a unit.

    Attributes:
        texts: What is to be translated of each record; None where nothing is (a null, or a failure).
        failures: Records that could not be read, in order.
        carrier: What the output is made of: the lines (without `\\n`) or the rows that pass through. A line that
            could not be read stands here as what takes its place.
        ends_line: Whether the last line ends in `\\n`.
        untouched: Records that stand in the output just as they were read.
        is_prose: Whether a text is a paragraph, whose sentences are translated one by one, rather than a segment.
        tags: Of records whose texts have marks (see `text.marks`) what these stand for, and what a soft break does.
        prefixes: What translations begin with, of the records of which that is demanded.
    """

    texts: list[str | None]
    failures: list[RecordFailure]
    carrier: Carrier
    ends_line: bool = True
    untouched: frozenset[int] = frozenset()
    is_prose: bool = False
    tags: Mapping[int, tuple[Sequence[str], str]] = field(default_factory=dict)
    prefixes: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.texts)

    def shown(self, record: int, text: str) -> str:
        """A text of a record, or an answer to it, on one line, with the markup that its marks stand for."""
        tags, _ = self.tags.get(record, ((), ""))
        return filled(text, tags, " ")


def decode_texts(raw: Sequence[bytes | None]) -> tuple[list[str | None], list[RecordFailure]]:
    """The text of each record; bytes that are not UTF-8 fail, and so do too many of them."""
    texts: list[str | None] = []
    failures: list[RecordFailure] = []
    for record, data in enumerate(raw):
        try:
            texts.append(None if data is None else read_text(data))
        except UnreadableError as error:
            texts.append(None)
            failures.append(RecordFailure(record, str(error), excerpt(data or b"")))
    return texts, failures


def read_text(data: bytes) -> str:
    """A text of bytes.

    Raises:
        UnreadableError: It is not UTF-8, or longer than a record may be.
    """
    if len(data) > MAX_RECORD_BYTES:
        raise UnreadableError(f"longer than {MAX_RECORD_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"not UTF-8 at byte {error.start + 1}") from None


def excerpt(raw: bytes | str) -> str:
    """The first characters of a record, fit for a ledger; what is not UTF-8 is shown as escapes."""
    text = raw[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    return text[:EXCERPT_CHARACTERS].encode("utf-8", "backslashreplace").decode()
