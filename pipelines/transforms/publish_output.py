"""The entries of all units in, the manifest of the output folder out: published last, when nothing is missing."""

from __future__ import annotations

import apache_beam as beam

from seq2seq_core import storage
from seq2seq_core.documents.pieces import PIECE_FOLDER, clear_pieces
from seq2seq_core.documents.plan import InputPlan
from seq2seq_core.inference.belongings import sweep
from seq2seq_core.inference.commit import UnitEntry
from seq2seq_core.inference.output import Job, Output, confirm, publish_output, reconcile
from seq2seq_core.inference.planning import in_order


class PublishOutput(beam.PTransform):  # type: ignore[misc]
    """PCollection[UnitEntry] -> PCollection[Output] of one element; see `output.reconcile` for the errors."""

    def __init__(self, root: str, job: Job, plans: beam.PCollection[InputPlan]) -> None:
        super().__init__()
        self._root = root
        self._job = job
        self._plans = plans

    def expand(self, entries: beam.PCollection[UnitEntry]) -> beam.PCollection[Output]:
        return (
            entries
            | "Hold entries" >> beam.Reshuffle()
            | "Gather entries" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Publish"
            >> beam.Map(_publish, beam.pvalue.AsList(self._plans), self._root, self._job).with_output_types(Output)
        )


def _publish(entries: list[UnitEntry], plans: list[InputPlan], root: str, job: Job) -> Output:
    plans = in_order(plans)
    output = reconcile(plans, job, entries)
    confirm(root, output)
    publish_output(root, output)
    sweep(root, plans, output)
    clear_pieces(storage.join(root, PIECE_FOLDER))
    return output
