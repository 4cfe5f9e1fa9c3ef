"""A step of a preparation and what it needs in, its reports out: the one transform that graphs of preparations have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.local.workers import HERE, Workers
from seq2seq_core.preparation.steps import Step, told
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Job, Plan, Terms


class DoStep(beam.PTransform):  # type: ignore[misc]
    """PCollection[Message] of one element, the plan (or job) -> PCollection[Message] of reports, in no order."""

    def __init__(self, step: Step, done: Mapping[str, beam.PCollection[Message]], workers: Workers | None) -> None:
        """What is done, and where.

        Args:
            step: What is done.
            done: The reports of earlier steps, by their names.
            workers: Who does what takes long, elements side by side; None: the workers of the engine, over which the
                elements are spread.
        """
        super().__init__()
        self._step = step
        self._needs = {name: beam.pvalue.AsList(done[name]) for name in step.needs if name in done}
        self._workers = workers if step.is_spread else HERE

    def expand(self, whole: beam.PCollection[Message]) -> beam.PCollection[Message]:
        step = self._step
        if self._workers is not None:
            do_all = beam.ParDo(_DoAll(step, self._workers), **self._needs)
            return whole | "Do" >> do_all.with_output_types(Message)
        head = whole | "Head" >> beam.Map(told).with_output_types(Message)
        do_one = beam.ParDo(_DoOne(step), beam.pvalue.AsSingleton(head), **self._needs)
        return (
            whole
            | "List" >> beam.FlatMap(step.each).with_output_types(Message)
            | "Spread" >> beam.Reshuffle()
            | "Do" >> do_one.with_output_types(Message)
            | "Hold" >> beam.Reshuffle()
        )


class Doing(beam.DoFn):  # type: ignore[misc]
    """The parts of a step that can be sent to where it is done."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.each, self.work, self._counts = step.each, step.work, step.counts
        self.nothing: dict[str, Sequence[Message]] = dict.fromkeys(step.needs, ())

    def counted(self, report: Message) -> Message:
        """A report, as it is, after what it counts is counted."""
        for name, count in self._counts(report).items():
            Metrics.counter("prepare", name).inc(count)
        return report


class _DoOne(Doing):
    """For one element of many."""

    @beam.typehints.no_annotations  # type: ignore[untyped-decorator]  # Beam does not know what `**` means
    def process(self, element: Message, head: Terms, **done: Sequence[Message]) -> Iterator[Message]:
        """See beam.DoFn."""
        yield self.counted(self.work(head, element, self.nothing | done))


class _DoAll(Doing):
    """For all elements, which some workers share."""

    def __init__(self, step: Step, workers: Workers) -> None:
        super().__init__(step)
        self._workers = workers

    @beam.typehints.no_annotations  # type: ignore[untyped-decorator]  # the same
    def process(self, whole: Job | Plan, **done: Sequence[Message]) -> Iterator[Message]:
        """See beam.DoFn."""
        head, given = told(whole), self.nothing | done
        calls = ((head, element, given) for element in self.each(whole))
        yield from map(self.counted, self._workers.map(self.work, calls))
