"""Units in; those still to be done out, and the entries of those whose output is committed already."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from seq2seq_core.inference.commit import UnitEntry, find_finished
from seq2seq_core.inference.unit import Unit

_FINISHED, _TO_DO = "finished", "to_do"


class SkipFinished(beam.PTransform):  # type: ignore[misc]
    """PCollection[Unit] -> (PCollection[Unit] to be done, PCollection[UnitEntry] finished)."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def expand(self, units: beam.PCollection[Unit]) -> tuple[beam.PCollection[Unit], beam.PCollection[UnitEntry]]:
        sorted_out = units | "Look" >> beam.ParDo(_LookDoFn(self._root)).with_outputs(_FINISHED, main=_TO_DO)
        return sorted_out[_TO_DO], sorted_out[_FINISHED]


class _LookDoFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def process(self, unit: Unit) -> Iterator[Unit | beam.pvalue.TaggedOutput]:
        entry = find_finished(self._root, unit)
        if entry is None:
            yield unit
        else:
            Metrics.counter("translate", "units_skipped").inc()
            yield beam.pvalue.TaggedOutput(_FINISHED, entry)
