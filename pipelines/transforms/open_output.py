"""The plans of all inputs in, all units of work out: a gate that opens when every input has been looked at."""

from __future__ import annotations

import apache_beam as beam

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.plan import InputPlan
from seq2seq_core.inference import planning
from seq2seq_core.inference.unit import Unit


class OpenOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[InputPlan] -> PCollection[Unit], spread over the workers; see `planning.open_output`."""

    def __init__(self, root: str, job: str, fields: Fields) -> None:
        super().__init__()
        self._root = root
        self._job = job
        self._fields = fields

    def expand(self, plans: beam.PCollection[InputPlan]) -> beam.PCollection[Unit]:
        return (
            plans
            | "Gather plans" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Open" >> beam.FlatMap(self._open).with_output_types(Unit)
            | "Spread units" >> beam.Reshuffle()
        )

    def _open(self, plans: list[InputPlan]) -> list[Unit]:
        return planning.open_output(self._root, plans, self._job, self._fields)
