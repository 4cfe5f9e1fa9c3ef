"""The head and the catalogue of staged files in; how many rows of each corpus stand before each shard out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future

import apache_beam as beam

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.sieves.caps import add_up, count_rows
from seq2seq_core.preparation.terms.messages import Head, Partition, RowsBefore, SlotCounts, Staged


class CountRows(beam.PTransform):  # type: ignore[misc]
    """PCollection[Head] of one element -> PCollection[RowsBefore] of one (or none); for jobs with caps."""

    def __init__(self, staged: beam.PCollection[Staged]) -> None:
        super().__init__()
        self._staged = staged

    def expand(self, head: beam.PCollection[Head]) -> beam.PCollection[RowsBefore]:
        sides = [beam.pvalue.AsSingleton(head), beam.pvalue.AsList(self._staged)]
        counts = (
            head
            | "List shards to count" >> beam.FlatMap(_partitions).with_output_types(Partition)
            | "Spread shards to count" >> beam.Reshuffle()
            | "Count" >> beam.ParDo(_CountDoFn(), *sides).with_output_types(SlotCounts)
        )
        return head | "Add up" >> beam.FlatMap(_add_up, beam.pvalue.AsList(counts)).with_output_types(RowsBefore)


def _partitions(head: Head) -> tuple[Partition, ...]:
    return head.training


def _add_up(head: Head, counts: Iterable[SlotCounts]) -> Iterator[RowsBefore]:
    if not head.is_done:
        yield add_up(head, list(counts))


class _CountDoFn(BesideDoFn):
    def begin(self, partition: Partition, head: Head, staged: Iterable[Staged]) -> Future[SlotCounts]:
        name = f"{head.work}: count {partition.slot}"
        return local_workers.begin(name, count_rows, head, partition, next(iter(staged)))
