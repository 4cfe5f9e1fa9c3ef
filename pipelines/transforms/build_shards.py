"""The plan, the reports of all units and the tokenizers in, a report of every shard out."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from pipelines.transforms.sides import lists
from seq2seq_core.preparation.building.build import build_shard, marker_of
from seq2seq_core.preparation.terms.messages import (
    NO_INDEX,
    Decisions,
    DropReport,
    HeldOutIndex,
    Partition,
    Plan,
    ShardReport,
    SlotCounts,
    TokenizersReport,
    UnitReport,
)


class BuildShards(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[ShardReport], in no order.

    What has to be known of the whole corpus comes first, from transforms beside this one; None where a job needs none.
    """

    def __init__(
        self,
        units: beam.PCollection[UnitReport],
        tokenizers: beam.PCollection[TokenizersReport],
        held_out: beam.PCollection[HeldOutIndex] | None,
        counts: beam.PCollection[SlotCounts] | None,
        near: beam.PCollection[DropReport] | None,
    ) -> None:
        super().__init__()
        self._sides = lists(units=units, tokenizers=tokenizers, held_out=held_out, counts=counts, near=near)

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[ShardReport]:
        every = beam.pvalue.AsSingleton(plan)
        return (
            plan
            | "List shards" >> beam.FlatMap(_partitions).with_output_types(Partition)
            | "Spread shards" >> beam.Reshuffle()
            | "Build" >> beam.ParDo(_BuildDoFn(), every, **self._sides).with_output_types(ShardReport)
            | "Hold results" >> beam.Reshuffle()
        )


def _partitions(plan: Plan) -> tuple[Partition, ...]:
    return plan.partitions


class _BuildDoFn(BesideDoFn):
    def begin(
        self,
        partition: Partition,
        plan: Plan,
        units: Iterable[UnitReport],
        tokenizers: Iterable[TokenizersReport],
        held_out: Iterable[HeldOutIndex] = (),
        counts: Iterable[SlotCounts] = (),
        near: Iterable[DropReport] = (),
    ) -> Future[ShardReport]:
        decisions = Decisions(
            tokenizers=next(iter(tokenizers)),
            held_out=next(iter(held_out), NO_INDEX),
            counts=tuple(counts),
            near=tuple(near),
        )
        marker = marker_of(plan, partition)
        return local_workers.begin(marker, build_shard, plan, partition, list(units), decisions)

    def count(self, report: ShardReport) -> None:
        Metrics.counter("prepare", "rows_kept").inc(report.entry.rows)
        Metrics.counter("prepare", "rows_duplicate").inc(report.duplicates)
        Metrics.counter("prepare", "rows_rejected").inc(sum(report.rejected.values()))
