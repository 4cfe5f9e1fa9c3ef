"""Translated units in, their entries out: each output stands on storage when its entry goes on."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.metrics import Metrics

from seq2seq_core.documents.fields import Fields
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.work import OnError, UnitTranslation, commit_unit


class CommitUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[UnitTranslation] -> PCollection[UnitEntry]."""

    def __init__(self, root: str, fields: Fields, on_error: OnError) -> None:
        super().__init__()
        self._root = root
        self._fields = fields
        self._on_error = on_error

    def expand(self, translated: beam.PCollection[UnitTranslation]) -> beam.PCollection[UnitEntry]:
        return translated | "Commit" >> beam.Map(self._commit).with_output_types(UnitEntry)

    def _commit(self, translated: UnitTranslation) -> UnitEntry:
        entry = commit_unit(translated, self._root, self._fields, self._on_error)
        Metrics.counter("translate", "records").inc(entry.records)
        Metrics.counter("translate", "records_failed").inc(entry.failed)
        return entry
