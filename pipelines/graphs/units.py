"""What graphs of inference have in common: work that is spread over workers, and units that are finished already."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.runner import PipelineResult

from pipelines.local.workers import Workers
from seq2seq_core.engines.interface import EngineConfig
from seq2seq_core.inference.commit import Committable, UnitEntry, find_finished
from seq2seq_core.machine import usable_cores

_COUNTERS, _SKIPPED = "units", "skipped"
_FINISHED, _TO_DO = "finished", "to_do"


class ForEach(beam.PTransform):  # type: ignore[misc]
    """PCollection -> PCollection, in no order: what a function returns for each element, and more arguments."""

    def __init__(self, function: Callable[..., Any], *first: Any, kind: type, workers: Workers | None) -> None:
        """What is done, and where.

        Args:
            function: A function of a module, so that it can be sent to where the work is done.
            first: Its arguments before the element.
            kind: What it returns.
            workers: Who does it, elements side by side; None: the workers of the engine.
        """
        super().__init__()
        self._function, self._first, self._kind, self._workers = function, first, kind, workers

    def expand(self, elements: beam.PCollection[Any]) -> beam.PCollection[Any]:
        if self._workers is None:
            do_one = functools.partial(self._function, *self._first)
            spread = elements | "Spread" >> beam.Reshuffle()
            return spread | "Do" >> beam.Map(do_one).with_output_types(self._kind) | "Hold" >> beam.Reshuffle()
        return elements | "Do all" >> Together(_do_all, self._workers, self._function, self._first, kind=self._kind)


class Together(beam.PTransform):  # type: ignore[misc]
    """PCollection -> PCollection: all that a function returns for all elements together, which are there by then."""

    def __init__(
        self, function: Callable[..., Any], *first: Any, kind: type, others: Sequence[beam.PCollection[Any]] = ()
    ) -> None:
        """What is done.

        Args:
            function: A function of a module.
            first: Its arguments before the lists of elements.
            kind: What it returns, any number of them.
            others: More collections whose elements it is given, each in a list of its own.
        """
        super().__init__()
        self._function, self._first, self._kind, self._others = function, first, kind, others

    def expand(self, elements: beam.PCollection[Any]) -> beam.PCollection[Any]:
        lists = [beam.pvalue.AsList(each) for each in (elements, *self._others)]
        once = elements.pipeline | "Once" >> beam.Create([None], reshuffle=False)
        return once | "Do" >> beam.ParDo(_DoTogether(self._function, self._first), *lists).with_output_types(self._kind)


class _DoTogether(beam.DoFn):  # type: ignore[misc]
    def __init__(self, function: Callable[..., Any], first: tuple[Any, ...]) -> None:
        super().__init__()
        self._function, self._first = function, first

    @beam.typehints.no_annotations  # type: ignore[untyped-decorator]  # Beam does not know what `*` means
    def process(self, once: None, *lists: list[Any]) -> Any:
        """See beam.DoFn."""
        del once
        return self._function(*self._first, *lists)


def _do_all(
    workers: Workers, function: Callable[..., Any], first: tuple[Any, ...], elements: Sequence[Any]
) -> Iterator[Any]:
    return workers.map(function, ((*first, element) for element in elements))


class SkipFinished(beam.PTransform):  # type: ignore[misc]
    """PCollection[Committable] -> (PCollection[Committable] to be done, PCollection[UnitEntry] finished)."""

    def __init__(self, root: str, *, without_failures: bool = False) -> None:
        """Where outputs stand, and whether those in which records failed are to be done."""
        super().__init__()
        self._look = _LookDoFn(root, without_failures)

    def expand(
        self, units: beam.PCollection[Committable]
    ) -> tuple[beam.PCollection[Committable], beam.PCollection[UnitEntry]]:
        sorted_out = units | "Look" >> beam.ParDo(self._look).with_outputs(_FINISHED, main=_TO_DO)
        return sorted_out[_TO_DO], sorted_out[_FINISHED]


class _LookDoFn(beam.DoFn):  # type: ignore[misc]
    def __init__(self, root: str, without_failures: bool) -> None:
        super().__init__()
        self._root, self._without_failures = root, without_failures

    def process(self, unit: Committable) -> Iterator[Committable | beam.pvalue.TaggedOutput]:
        entry = find_finished(self._root, unit, without_failures=self._without_failures)
        if entry is None:
            yield unit
        else:
            Metrics.counter(_COUNTERS, _SKIPPED).inc()
            yield beam.pvalue.TaggedOutput(_FINISHED, entry)


def skipped(result: PipelineResult) -> int:
    """How many units of a run were finished before."""
    found = result.metrics().query(MetricsFilter().with_namespace(_COUNTERS).with_name(_SKIPPED))["counters"]
    return sum(counter.result for counter in found)


def engine_for(engine: EngineConfig, options: PipelineOptions) -> EngineConfig:
    """The engine, with this machine's cores shared out among local workers."""
    local = options.view_as(DirectOptions)
    if local.direct_running_mode == "in_memory":
        return engine
    cores = usable_cores()
    return engine.on_cores(max(1, cores // (local.direct_num_workers or cores)))
