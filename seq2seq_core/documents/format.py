"""What a format of documents is, and THE TABLE of all there are: a name in, how its files are read and written out.

A format is one file beside this one, and one line below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.jsonl import JsonlFormat
from seq2seq_core.documents.parquet import ParquetFormat
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize
from seq2seq_core.documents.text import TextFormat


class DocumentFormat(Protocol):
    """How files of one format are counted, read, and written again with translations.

    Attributes:
        name: What it is called in configurations, manifests and fingerprints.
        suffixes: What its files end in; outputs whose input has none of them end in the first.
        has_fields: Whether a record has a place for more than one output.
        has_lines: Whether a record is a line, so that ledgers number it from 1 as well.
        may_be_packed: Whether its files may be compressed as a whole.
        is_named_by_side: Whether files that are named by a language, or a side of a pair, are of this format.
    """

    @property
    def name(self) -> str: ...
    @property
    def suffixes(self) -> tuple[str, ...]: ...
    @property
    def has_fields(self) -> bool: ...
    @property
    def has_lines(self) -> bool: ...
    @property
    def may_be_packed(self) -> bool: ...
    @property
    def is_named_by_side(self) -> bool: ...

    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        """Count, digest and cut a file; an empty one has one empty range.

        Raises:
            InputError: It is damaged, has a field that is to be added, or something else that cannot pass through.
            StorageError: It cannot be read.
        """
        ...

    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[Any]:
        """The records of a range; an InputError where the file is damaged or has changed since it was counted."""
        ...

    def render(
        self, file: InputFile, content: Content[Any], predictions: Sequence[Prediction | None], fields: Fields
    ) -> bytes:
        """The bytes of an output file: the format and compression of the input, as many records, in the same order.

        Args:
            file: The input.
            content: Its records.
            predictions: One a record; None where nothing was translated.
            fields: What is added to each record.
        """
        ...

    def read_together(self, file: InputFile, part: RecordRange) -> str:
        """What ranges have in common that are laid out together, such as the URL of an archive."""
        ...

    def lay_out(self, file: InputFile, parts: Iterable[RecordRange], folder: str) -> list[RecordRange]:
        """Ranges that are read together, in order; where reading each by itself costs more, with pieces in the folder.

        Raises:
            InputError: The file has changed since it was counted, or is damaged.
        """
        ...


_ALL: tuple[DocumentFormat, ...] = (
    TextFormat(),
    JsonlFormat(),
    ParquetFormat(),
)
FORMATS: dict[str, DocumentFormat] = {described.name: described for described in _ALL}

if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[tuple(FORMATS)]
"""The type of a key that names a format."""


def format_of(file: InputFile) -> DocumentFormat:
    """The format of a file."""
    return FORMATS[file.format]


def format_by_suffix(suffix: str) -> DocumentFormat | None:
    """The format that a suffix names (`.jsonl`); None where it names none."""
    return next((known for known in FORMATS.values() if suffix.lower() in known.suffixes), None)
