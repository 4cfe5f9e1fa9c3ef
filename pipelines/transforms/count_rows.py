"""The plan and the reports of all units in; how many rows each corpus has in each shard out."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.sieves.caps import count_rows
from seq2seq_core.preparation.terms.messages import Partition, Plan, SlotCounts, UnitReport


class CountRows(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[SlotCounts], in no order; for jobs with `caps`."""

    def __init__(self, units: beam.PCollection[UnitReport]) -> None:
        super().__init__()
        self._units = units

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[SlotCounts]:
        sides = [beam.pvalue.AsSingleton(plan), beam.pvalue.AsList(self._units)]
        return (
            plan
            | "List shards to count" >> beam.FlatMap(_partitions).with_output_types(Partition)
            | "Spread shards to count" >> beam.Reshuffle()
            | "Count" >> beam.ParDo(_CountDoFn(), *sides).with_output_types(SlotCounts)
            | "Hold counts" >> beam.Reshuffle()
        )


def _partitions(plan: Plan) -> tuple[Partition, ...]:
    return plan.training


class _CountDoFn(BesideDoFn):
    def begin(self, partition: Partition, plan: Plan, units: Iterable[UnitReport]) -> Future[SlotCounts]:
        return local_workers.begin(f"{plan.work}: count {partition.slot}", count_rows, plan, partition, list(units))
