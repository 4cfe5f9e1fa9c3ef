"""The plan, the reports of all units and the tokenizers in, a report of every shard out."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.metrics import Metrics

from seq2seq_core.preparation.build import build_shard
from seq2seq_core.preparation.messages import (
    Decisions,
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

    What has to be known of the whole corpus comes first, from three transforms beside this one.
    """

    def __init__(
        self,
        units: beam.PCollection[UnitReport],
        tokenizers: beam.PCollection[TokenizersReport],
        held_out: beam.PCollection[HeldOutIndex],
        counts: beam.PCollection[SlotCounts],
    ) -> None:
        super().__init__()
        self._reports = (units, tokenizers, held_out, counts)

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[ShardReport]:
        sides = [beam.pvalue.AsSingleton(plan), *(beam.pvalue.AsList(reports) for reports in self._reports)]
        return (
            plan
            | "List shards" >> beam.FlatMap(_partitions).with_output_types(Partition)
            | "Spread shards" >> beam.Reshuffle()
            | "Build" >> beam.Map(_build, *sides).with_output_types(ShardReport)
            | "Hold results" >> beam.Reshuffle()
        )


def _partitions(plan: Plan) -> tuple[Partition, ...]:
    return plan.partitions


def _build(
    partition: Partition,
    plan: Plan,
    units: Iterable[UnitReport],
    tokenizers: Iterable[TokenizersReport],
    held_out: Iterable[HeldOutIndex],
    counts: Iterable[SlotCounts],
) -> ShardReport:
    decisions = Decisions(tokenizers=next(iter(tokenizers)), held_out=next(iter(held_out)), counts=tuple(counts))
    report = build_shard(plan, partition, list(units), decisions)
    Metrics.counter("prepare", "rows_kept").inc(report.entry.rows)
    Metrics.counter("prepare", "rows_duplicate").inc(report.duplicates)
    Metrics.counter("prepare", "rows_rejected").inc(sum(report.rejected.values()))
    return report
