"""The head, the catalogue of staged files and the tokenizers in, a report of every shard out."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from pipelines.transforms.sides import lists
from seq2seq_core.preparation.building.build import build_shard
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import (
    NO_INDEX,
    Decisions,
    Drops,
    Head,
    HeldOutIndex,
    Partition,
    RowsBefore,
    ShardReport,
    Staged,
    TokenizersReport,
)


class BuildShards(beam.PTransform):  # type: ignore[misc]
    """PCollection[Head] of one element -> PCollection[ShardReport], in no order.

    What has to be known of the whole corpus comes first, from transforms beside this one; None where a job needs none.
    """

    def __init__(
        self,
        staged: beam.PCollection[Staged],
        tokenizers: beam.PCollection[TokenizersReport],
        held_out: beam.PCollection[HeldOutIndex] | None,
        before: beam.PCollection[RowsBefore] | None,
        near: beam.PCollection[Drops] | None,
    ) -> None:
        super().__init__()
        self._sides = lists(staged=staged, tokenizers=tokenizers, held_out=held_out, before=before, near=near)

    def expand(self, head: beam.PCollection[Head]) -> beam.PCollection[ShardReport]:
        every = beam.pvalue.AsSingleton(head)
        return (
            head
            | "List shards" >> beam.FlatMap(_partitions).with_output_types(Partition)
            | "Spread shards" >> beam.Reshuffle()
            | "Build" >> beam.ParDo(_BuildDoFn(), every, **self._sides).with_output_types(ShardReport)
            | "Hold results" >> beam.Reshuffle()
        )


def _partitions(head: Head) -> tuple[Partition, ...]:
    return head.partitions


class _BuildDoFn(BesideDoFn):
    def begin(
        self,
        partition: Partition,
        head: Head,
        staged: Iterable[Staged],
        tokenizers: Iterable[TokenizersReport],
        held_out: Iterable[HeldOutIndex] = (),
        before: Iterable[RowsBefore] = (),
        near: Iterable[Drops] = (),
    ) -> Future[ShardReport]:
        decisions = Decisions(
            tokenizers=next(iter(tokenizers)),
            held_out=next(iter(held_out), NO_INDEX),
            before=next(iter(before), None),
            near=next(iter(near), None),
        )
        marker = layout.shard_marker(head, partition)
        return local_workers.begin(marker, build_shard, head, partition, next(iter(staged)), decisions)

    def count(self, report: ShardReport) -> None:
        Metrics.counter("prepare", "rows_kept").inc(report.entry.rows)
        Metrics.counter("prepare", "rows_duplicate").inc(report.duplicates)
        Metrics.counter("prepare", "rows_rejected").inc(sum(report.rejected.values()))
