"""The plan in, a report of every unit out: given validation and test sets are staged first, then the corpora."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.staging.held_out_sources import collect_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import NO_SOURCES, Head, HeldOutSources, Plan, Unit, UnitReport


class StageUnits(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[UnitReport], in no order."""

    def __init__(self, head: beam.PCollection[Head], *, has_held_out_files: bool) -> None:
        super().__init__()
        self._head = head
        self._has_held_out_files = has_held_out_files

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[UnitReport]:
        if not self._has_held_out_files:
            return self._stage(plan, "training", _training_units, NO_SOURCES)
        held_out = self._stage(plan, "held-out", _held_out_units, NO_SOURCES)
        sources = plan | "Collect sources" >> beam.Map(_collect, beam.pvalue.AsList(held_out)).with_output_types(
            HeldOutSources
        )
        training = self._stage(plan, "training", _training_units, beam.pvalue.AsSingleton(sources))
        return (held_out, training) | "All reports" >> beam.Flatten()

    def _stage(
        self, plan: beam.PCollection[Plan], kind: str, units: object, sources: object
    ) -> beam.PCollection[UnitReport]:
        head = beam.pvalue.AsSingleton(self._head)
        return (
            plan
            | f"List {kind} units" >> beam.FlatMap(units).with_output_types(Unit)
            | f"Spread {kind} units" >> beam.Reshuffle()
            | f"Stage {kind} units" >> beam.ParDo(_StageDoFn(), head, sources).with_output_types(UnitReport)
        )


def _held_out_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role != "train"]


def _training_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == "train"]


def _collect(plan: Plan, reports: Iterable[UnitReport]) -> HeldOutSources:
    begun = local_workers.begin(layout.held_out_sources(plan.head), collect_sources, plan, list(reports))
    return local_workers.result(begun)


class _StageDoFn(BesideDoFn):
    def begin(self, unit: Unit, head: Head, sources: HeldOutSources) -> Future[UnitReport]:
        return local_workers.begin(layout.unit_marker(head, unit.index), stage_unit, head, unit, sources)

    def count(self, report: UnitReport) -> None:
        Metrics.counter("prepare", "rows_read").inc(report.read)
        Metrics.counter("prepare", "rows_rejected").inc(sum(report.rejected.values()))
