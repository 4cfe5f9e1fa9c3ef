"""The plan in, a report of every unit out: given validation and test sets are staged first, then the corpora."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.staging.stage import marker_of, stage_unit
from seq2seq_core.preparation.terms.messages import Plan, Unit, UnitReport


class StageUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[UnitReport], in no order."""

    def __init__(self, *, has_held_out_files: bool) -> None:
        super().__init__()
        self._has_held_out_files = has_held_out_files

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[UnitReport]:
        if not self._has_held_out_files:
            return self._stage(plan, "training", _training_units, [])
        held_out = self._stage(plan, "held-out", _held_out_units, [])
        training = self._stage(plan, "training", _training_units, beam.pvalue.AsList(held_out))
        return (held_out, training) | "All reports" >> beam.Flatten()

    @staticmethod
    def _stage(
        plan: beam.PCollection[Plan], kind: str, units: object, held_out: object
    ) -> beam.PCollection[UnitReport]:
        return (
            plan
            | f"List {kind} units" >> beam.FlatMap(units).with_output_types(Unit)
            | f"Spread {kind} units" >> beam.Reshuffle()
            | f"Stage {kind} units"
            >> beam.ParDo(_StageDoFn(), beam.pvalue.AsSingleton(plan), held_out).with_output_types(UnitReport)
        )


def _held_out_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role != "train"]


def _training_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == "train"]


class _StageDoFn(BesideDoFn):
    def begin(self, unit: Unit, plan: Plan, held_out: Iterable[UnitReport]) -> Future[UnitReport]:
        paths = sorted(report.path for report in held_out)
        return local_workers.begin(marker_of(plan, unit), stage_unit, plan, unit, paths)

    def count(self, report: UnitReport) -> None:
        Metrics.counter("prepare", "rows_read").inc(report.read)
        Metrics.counter("prepare", "rows_rejected").inc(sum(report.rejected.values()))
