"""What a format of documents is: a file of it in; its records, and the same file with answers, out.

A format is one file beside this one and one line in `table`. Nobody asks what a format is called: who wants to know
something of it that is not said here adds it to what all of them say.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from seq2seq_core.documents.content import Content
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange, UnitSize


class DocumentFormat(abc.ABC):
    """How files of one format are counted, read, and written again with answers.

    What is said here holds for files of which every range can be read by itself.

    Attributes:
        called: What a file of it is called in messages.
        suffixes: What its files end in; outputs whose input has none of them end in the first. None: no name tells it,
            and outputs have the names of their inputs.
        has_fields: Whether a record has a place for more than one output.
        has_lines: Whether a record is a line, so that ledgers number it from 1 as well.
        may_be_packed: Whether its files may be compressed as a whole.
        beside: Names of files that stand beside its files, and are no documents.
        is_whole: Whether a file is one unit, and its output has its name without a number.
        is_named_by_side: Whether files that are named by a language, or a side of a pair, are of this format.
    """

    called: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    has_fields: ClassVar[bool] = True
    has_lines: ClassVar[bool] = False
    may_be_packed: ClassVar[bool] = False
    beside: ClassVar[tuple[str, ...]] = ()
    is_whole: ClassVar[bool] = False
    is_named_by_side: ClassVar[bool] = False

    @abc.abstractmethod
    def count(self, file: InputFile, size: UnitSize, fields: Fields) -> CountedInput:
        """Count, digest and cut a file; an empty one has one empty range.

        Raises:
            InputError: It is damaged, has a field that is to be added, or something else that cannot pass through.
            StorageError: It cannot be read.
        """

    @abc.abstractmethod
    def read(self, file: InputFile, part: RecordRange, fields: Fields) -> Content[Any]:
        """The records of a range; an InputError where the file is damaged or has changed since it was counted."""

    @abc.abstractmethod
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

    def read_together(self, file: InputFile, part: RecordRange) -> str:
        """What ranges have in common that are laid out together, such as the URL of an archive."""
        return f"{file.url} {part.first}"

    def lay_out(self, _file: InputFile, parts: Iterable[RecordRange], _folder: str, /) -> list[RecordRange]:
        """Ranges that are read together, in order; where reading each by itself costs more, with pieces in the folder.

        Raises:
            InputError: The file has changed since it was counted, or is damaged.
        """
        return sorted(parts, key=lambda part: part.first)
