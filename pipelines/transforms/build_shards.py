"""The plan, the reports of all units and the tokenizers in, a report of every shard out."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.metrics import Metrics

from seq2seq_core.preparation.build import build_shard
from seq2seq_core.preparation.messages import Partition, Plan, ShardReport, TokenizersReport, UnitReport


class BuildShards(beam.PTransform):  # type: ignore[misc]
    """PCollection[Plan] of one element -> PCollection[ShardReport], in no order."""

    def __init__(self, units: beam.PCollection[UnitReport], tokenizers: beam.PCollection[TokenizersReport]) -> None:
        super().__init__()
        self._units = units
        self._tokenizers = tokenizers

    def expand(self, plan: beam.PCollection[Plan]) -> beam.PCollection[ShardReport]:
        sides = [
            beam.pvalue.AsSingleton(plan),
            beam.pvalue.AsList(self._units),
            beam.pvalue.AsList(self._tokenizers),
        ]
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
    partition: Partition, plan: Plan, units: Iterable[UnitReport], tokenizers: Iterable[TokenizersReport]
) -> ShardReport:
    report = build_shard(plan, partition, list(units), next(iter(tokenizers)))
    Metrics.counter("prepare", "rows_kept").inc(report.entry.rows)
    Metrics.counter("prepare", "rows_duplicate").inc(report.duplicates)
    return report
