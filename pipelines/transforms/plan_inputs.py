"""Input files in, their plans out: a file is counted and cut by one worker, many files at once."""

from __future__ import annotations

import apache_beam as beam

from seq2seq_core.documents.fields import Fields
from seq2seq_core.documents.inputs import InputFile
from seq2seq_core.documents.plan import InputPlan, UnitSize
from seq2seq_core.inference.planning import plan_and_check


class PlanInputs(beam.PTransform):  # type: ignore[misc]
    """PCollection[InputFile] -> PCollection[InputPlan], in no order."""

    def __init__(self, size: UnitSize, fields: Fields) -> None:
        super().__init__()
        self._size = size
        self._fields = fields

    def expand(self, files: beam.PCollection[InputFile]) -> beam.PCollection[InputPlan]:
        return (
            files
            | "Spread inputs" >> beam.Reshuffle()
            | "Plan" >> beam.Map(plan_and_check, self._size, self._fields).with_output_types(InputPlan)
            | "Hold plans" >> beam.Reshuffle()
        )
