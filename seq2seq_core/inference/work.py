"""One unit's way: read, translated, committed; every record keeps its place and every failure its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from seq2seq_core.documents.content import Content, RecordFailure, excerpt
from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.formats import read_content, render_content
from seq2seq_core.documents.prediction import Prediction
from seq2seq_core.errors import InputError
from seq2seq_core.inference.commit import UnitEntry, commit
from seq2seq_core.inference.unit import Unit

OnError = Literal["keep", "fail"]


class Translates(Protocol):
    """What a unit needs of a Translator."""

    def translate(self, texts: Sequence[str | None]) -> list[Prediction]: ...


@dataclass(frozen=True)
class UnitContent:
    """A unit that has been read; its length is the number of its records."""

    unit: Unit
    content: Content[Any]

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True)
class UnitTranslation:
    """A unit that has been translated: a prediction or None for each record, and all its failures, in order."""

    unit: Unit
    content: Content[Any]
    predictions: list[Prediction | None]
    failures: list[RecordFailure]


def read_unit(unit: Unit, fields: Fields) -> UnitContent:
    """The records of a unit; an InputError where the file is damaged or has changed since it was counted."""
    return UnitContent(unit, read_content(unit.file, unit.part, fields))


def translate_unit(loaded: UnitContent, translator: Translates) -> UnitTranslation:
    """Translate all texts of a unit together; what fails alone is left out alone."""
    content = loaded.content
    wanted = [(record, text) for record, text in enumerate(content.texts) if text is not None]
    predictions: list[Prediction | None] = [None] * len(content)
    failures = list(content.failures)
    for (record, text), prediction in zip(wanted, translator.translate([text for _, text in wanted]), strict=True):
        if prediction.error is None:
            predictions[record] = prediction
        else:
            failures.append(RecordFailure(record, prediction.error, excerpt(text)))
    failures.sort(key=lambda failure: failure.record)
    return UnitTranslation(loaded.unit, content, predictions, failures)


def commit_unit(translated: UnitTranslation, root: str, fields: Fields, on_error: OnError) -> UnitEntry:
    """Write a unit's output and make it count.

    Raises:
        InputError: A record failed, and `on_error` says that this ends the run.
    """
    unit = translated.unit
    if translated.failures and on_error == "fail":
        first = translated.failures[0]
        raise InputError(
            f"a record cannot be translated: {first.reason}",
            where=f"{unit.file.where}, record {unit.part.first + first.record}",
            found=repr(first.excerpt),
            advice="Repair it, or keep its place and go on (--on_error keep).",
        )
    data = render_content(unit.file, translated.content, translated.predictions, fields)
    outputs = [prediction for prediction in translated.predictions if prediction is not None]
    return commit(
        root,
        unit,
        data,
        translated.failures,
        cut=sum(output.cut for output in outputs),
        looping=sum(output.looping for output in outputs),
    )
