"""A counted input in, its units out: each with a fingerprint and names, and then read and translated as a whole.

Every record of a unit keeps its place, and every failure has its reason; `commit` makes a translated unit count.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from seq2seq_core import storage
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.documents.content import Content, RecordFailure, excerpt
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats.table import format_of
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.documents.ranges import CountedInput, InputFile, RecordRange
from seq2seq_core.inference.folder import failures_path, marker_path
from seq2seq_core.inference.retrying import kept

UNIT_VERSION = 3
"""Part of every fingerprint: to be raised when the same input and options would give other bytes."""


@dataclass(frozen=True)
class DocumentUnit:
    """A contiguous range of records that one worker reads, translates and commits as a whole.

    Attributes:
        index: Its place among the `count` units of its input.
        fingerprint: Names the content of the input, the range, the model and all options that shape the output.
    """

    file: InputFile
    part: RecordRange
    index: int
    count: int
    fingerprint: str

    @property
    def path(self) -> str:
        """Its output, relative to the output folder."""
        if format_of(self.file).is_whole:
            return self.file.name + self.file.suffix
        return shard_name(self.index, self.count, self.file.name, self.file.suffix)

    @property
    def marker_path(self) -> str:
        """See `folder.marker_path`."""
        return marker_path(self.path)

    @property
    def failures_path(self) -> str:
        """See `folder.failures_path`."""
        return failures_path(self.path)

    @property
    def first_record(self) -> int:
        """See `commit.Committable`."""
        return self.part.first

    @property
    def records(self) -> int:
        """See `commit.Committable`."""
        return self.part.records

    @property
    def where(self) -> str:
        """Input and range, as messages show them."""
        return f"{self.file.where}, records {self.part.first:,} to {self.part.first + self.part.records - 1:,}"

    def ledger_row(self, failure: RecordFailure) -> dict[str, Any]:
        """Input, record (from 0; of line formats also line, from 1), reason, its start.

        All of a record that has no place in the output stands there too: as `original`, or `original_base64` where it
        is not UTF-8.
        """
        record = self.part.first + failure.record
        line = {"line": record + 1} if format_of(self.file).has_lines else {}
        row = {"input": self.file.where, "record": record, **line, "reason": failure.reason, "text": failure.excerpt}
        return row | ({} if failure.original is None else _original(failure.original))


def units_of(counted: CountedInput, provenance: str) -> list[DocumentUnit]:
    """The units of an input, in order; `provenance` is the digest of the model and the options."""
    count = len(counted.ranges)
    return [
        DocumentUnit(counted.file, part, index, count, _fingerprint(counted, part, provenance))
        for index, part in enumerate(counted.ranges)
    ]


def _original(data: bytes) -> dict[str, str]:
    try:
        return {"original": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"original_base64": base64.b64encode(data).decode("ascii")}


def _fingerprint(counted: CountedInput, part: RecordRange, provenance: str) -> str:
    content = [counted.fingerprint, counted.file.format, part.first, part.records, part.digest]
    return storage.digest_bytes(json.dumps([UNIT_VERSION, provenance, *content]).encode())


class Translates(Protocol):
    """What a unit needs of a Translator."""

    def translate(
        self, texts: Sequence[str | None], *, is_prose: bool = False, prefixes: Sequence[str] = ()
    ) -> list[Prediction]: ...


@dataclass(frozen=True)
class UnitContent:
    """A unit that has been read, and what is known of its records."""

    unit: DocumentUnit
    content: Content[Any]
    kept: Mapping[int, Prediction] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitTranslation:
    """A unit that has been translated: a prediction or None for each record, and all its failures, in order."""

    unit: DocumentUnit
    content: Content[Any]
    predictions: list[Prediction | None]
    failures: list[RecordFailure]


def read_unit(unit: DocumentUnit, fields: Fields, retried: str | None = None) -> UnitContent:
    """The records of a unit, and what was made of them before where only those that failed are done again.

    Args:
        unit: Which records.
        fields: Where their texts stand.
        retried: The output folder, where failures are done again.

    Raises:
        InputError: The file is damaged or has changed since it was counted.
    """
    content = format_of(unit.file).read(unit.file, unit.part, fields)
    return UnitContent(unit, content, kept(retried, unit.path, unit.fingerprint) if retried is not None else {})


def translate_unit(loaded: UnitContent, translator: Translates) -> UnitTranslation:
    """Translate all texts of a unit together; what fails alone is left out alone."""
    content, known = loaded.content, loaded.kept
    wanted = [(r, text) for r, text in enumerate(content.texts) if text is not None and r not in known]
    predictions = [known.get(record) for record in range(len(content))]
    failures = list(content.failures)
    found = translator.translate(
        [text for _, text in wanted],
        is_prose=content.is_prose,
        prefixes=[content.prefixes.get(record, "") for record, _ in wanted] if content.prefixes else (),
    )
    for (record, text), prediction in zip(wanted, found, strict=True):
        if prediction.error is None:
            predictions[record] = prediction
        else:
            failures.append(RecordFailure(record, prediction.error, excerpt(content.shown(record, text))))
    failures.sort(key=lambda failure: failure.record)
    return UnitTranslation(loaded.unit, content, predictions, failures)
