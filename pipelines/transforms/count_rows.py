"""The plan and the reports of all units in; how many rows each corpus has in each shard out, where that is needed."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam

from seq2seq_core.preparation.caps import capped_partitions, count_rows
from seq2seq_core.preparation.messages import Partition, Plan, SlotCounts, UnitReport


class CountRows(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[SlotCounts], in no order; none when no corpus has a cap."""

    def __init__(self, units: beam.PCollection[UnitReport]) -> None:
        super().__init__()
        self._units = units

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[SlotCounts]:
        sides = [beam.pvalue.AsSingleton(plan), beam.pvalue.AsList(self._units)]
        return (
            plan
            | "List shards to count" >> beam.FlatMap(capped_partitions).with_output_types(Partition)
            | "Spread shards to count" >> beam.Reshuffle()
            | "Count" >> beam.Map(_count, *sides).with_output_types(SlotCounts)
            | "Hold counts" >> beam.Reshuffle()
        )


def _count(partition: Partition, plan: Plan, units: Iterable[UnitReport]) -> SlotCounts:
    return count_rows(plan, partition, list(units))
