"""The plan of near-duplicate detection in, the near-duplicates of every shard out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.running import local_workers
from pipelines.transforms.beside import BesideDoFn
from seq2seq_core.preparation.sieves.near.bands import Texts, write_bands
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, write_drops
from seq2seq_core.preparation.terms.messages import BandsReport, Buckets, Drops, EdgesReport, NearPlan

_Read = Callable[..., Iterable[Texts]]


class NearDuplicates(beam.PTransform):  # type: ignore[misc]
    """PCollection[NearPlan] of one element (or none) -> PCollection[Drops] of one (or none)."""

    def __init__(self, read: _Read, **sides: beam.pvalue.AsSideInput) -> None:
        """Where the rows come from.

        Args:
            read: A function of a module, which takes the index of a shard and the values of `sides` by name.
            sides: Side inputs for it.
        """
        super().__init__()
        self._read = read
        self._sides = sides

    def expand(self, plan: beam.PCollection[NearPlan]) -> beam.PCollection[Drops]:
        every = beam.pvalue.AsSingleton(plan)
        bands = (
            plan
            | "List shards" >> beam.FlatMap(_shards).with_output_types(int)
            | "Spread shards" >> beam.Reshuffle()
            | "Sign" >> beam.ParDo(_SignDoFn(), self._read, every, **self._sides).with_output_types(BandsReport)
        )
        places = plan | "Find buckets" >> beam.Map(_find_buckets, beam.pvalue.AsList(bands)).with_output_types(Buckets)
        edges = (
            plan
            | "List buckets" >> beam.FlatMap(_buckets).with_output_types(int)
            | "Spread buckets" >> beam.Reshuffle()
            | "Find edges"
            >> beam.ParDo(_FindDoFn(), every, beam.pvalue.AsSingleton(places)).with_output_types(EdgesReport)
        )
        return plan | "Connect" >> beam.Map(_write_drops, beam.pvalue.AsList(edges)).with_output_types(Drops)


def _shards(plan: NearPlan) -> range:
    return range(plan.shards)


def _buckets(plan: NearPlan) -> range:
    return range(plan.buckets)


class _SignDoFn(BesideDoFn):
    def begin(self, shard: int, read: _Read, every: NearPlan, /, **sides: object) -> Future[BandsReport]:
        return local_workers.begin(f"{every.work}: sign {shard}", _write_bands, every, shard, read, sides)


def _write_bands(plan: NearPlan, shard: int, read: _Read, sides: Mapping[str, object]) -> BandsReport:
    return write_bands(plan, shard, read(shard, **sides))


class _FindDoFn(BesideDoFn):
    def begin(self, bucket: int, plan: NearPlan, places: Buckets) -> Future[EdgesReport]:
        return local_workers.begin(f"{plan.work}: find {bucket}", find_edges, plan, bucket, places)


def _find_buckets(plan: NearPlan, bands: Iterable[BandsReport]) -> Buckets:
    return find_buckets(plan, list(bands))


def _write_drops(plan: NearPlan, edges: Iterable[EdgesReport]) -> Drops:
    drops = write_drops(plan, list(edges))
    Metrics.counter("prepare", "rows_near_duplicate").inc(drops.rows)
    return drops
