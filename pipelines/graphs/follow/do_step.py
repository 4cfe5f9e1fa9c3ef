"""A step of a preparation and what it needs in, its reports out, batch by batch: for engines that never end.

Which reports belong together is told by the number of their batch, and how many there are by each of them. So a step
begins when all that it needs is there, in whatever order it comes, and no clock and no watermark decides it: engines
that start again after a failure may say that nothing more comes while something does. Nothing comes in from the side
either, as Beam's Flink runner takes no checkpoint of that. All is little, as all are descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import coders
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec

from pipelines.graphs.do_step import Doing
from pipelines.graphs.message_coder import MessageCoder
from seq2seq_core.preparation.steps import JOB, Step, steps_of, told
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Terms

Keyed = tuple[int, str]
"""The number of a batch, and a report as a line."""
Listed = tuple[int, int, int, str, str, str]
"""Of one element of a step: batch, index, number of elements, what workers are told, the element, what the step needs.
"""

_CODER = MessageCoder()


class Report(NamedTuple):
    """What a step has made of one of its elements.

    Attributes:
        name: That of the step.
        number: Which of the elements it was.
        of: How many elements there are; 0: none, which this report is there to say.
        text: What was made.
    """

    name: str
    number: int
    of: int
    text: str

    @property
    def line(self) -> str:
        """As it is handed on."""
        return json.dumps(self)


def do_steps(jobs: beam.PCollection[Keyed], terms: Terms) -> dict[str, beam.PCollection[Keyed]]:
    """The steps of preparations, batch by batch: the reports of each step.

    Args:
        jobs: What to do: one report of the name `job` a batch, and others that no step needs.
        terms: What they have in common.
    """
    done = {JOB: jobs}
    for step in steps_of(terms):
        names = [name for name in dict.fromkeys((step.of, *step.needs)) if name in done]
        done[step.name] = tuple(done[name] for name in names) | step.name >> DoStepOfBatch(step, names)
    return done


class Gathered(beam.PTransform):  # type: ignore[misc]
    """PCollections of reports -> PCollection[tuple[int, list[str]]]: those of some names, once a batch has all."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def expand(self, reports: tuple[beam.PCollection[Keyed], ...]) -> beam.PCollection[tuple[int, list[str]]]:
        gather = beam.ParDo(_Gather(self._names)).with_output_types(tuple[int, list[str]])
        return reports | "Flatten" >> beam.Flatten() | "Gather" >> gather


class DoStepOfBatch(beam.PTransform):  # type: ignore[misc]
    """PCollections of what a step is of, and of what it needs -> PCollection[Keyed]: its reports."""

    def __init__(self, step: Step, names: Sequence[str]) -> None:
        """`names` are those of the reports that come in."""
        super().__init__()
        self._step, self._names = step, names

    def expand(self, needed: tuple[beam.PCollection[Keyed], ...]) -> beam.PCollection[Keyed]:
        step = self._step
        listed = needed | "Needed" >> Gathered(self._names)
        listed = listed | "List" >> beam.ParDo(_List(step)).with_output_types(Listed)
        if step.is_spread:
            listed = listed | "Spread" >> beam.Reshuffle()
        return listed | "Do" >> beam.ParDo(_Do(step)).with_output_types(Keyed)


_REPORTS = BagStateSpec("reports", coders.StrUtf8Coder())
_COUNTS = ReadModifyWriteStateSpec("counts", coders.StrUtf8Coder())
_REPORTS_OF = beam.DoFn.StateParam(_REPORTS)
_COUNTS_OF = beam.DoFn.StateParam(_COUNTS)


class _Gather(beam.DoFn):  # type: ignore[misc]
    """Keeps the reports of a batch until the last one is there, and nothing of it from then on."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = frozenset(names)

    def process(self, keyed: Keyed, reports: Any = _REPORTS_OF, counts: Any = _COUNTS_OF) -> Iterator[Any]:
        """See beam.DoFn."""
        batch, line = keyed
        report = as_report(line)
        if report.name not in self._names:
            return
        left = _missing(counts.read(), report)
        reports.add(line)
        if left.keys() < self._names or any(left.values()):
            counts.write(json.dumps(left))
            return
        # In an order of their own, as they come in another one when a bundle is done again.
        whole = sorted(map(as_report, reports.read()))
        reports.clear()
        counts.clear()
        yield batch, [each.line for each in whole if each.of]


class _List(beam.DoFn):  # type: ignore[misc]
    """What a step is done for: each with what workers are told, and what it needs."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._of, self._each, self._needs = step.of, step.each, frozenset(step.needs)

    def process(self, gathered: tuple[int, list[str]]) -> Iterator[Listed]:
        """See beam.DoFn."""
        batch, lines = gathered
        reports = [as_report(line) for line in lines]
        given = json.dumps([[report.name, report.text] for report in reports if report.name in self._needs])
        (text,) = (report.text for report in reports if report.name == self._of)
        whole: Any = as_message(text)
        elements, head = self._each(whole), as_text(told(whole))
        for index, element in enumerate(elements):
            yield batch, index, len(elements), head, as_text(element), given
        if not elements:
            yield batch, 0, 0, "", "", ""


class _Do(Doing):
    """For one element of many."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self._name = step.name

    def process(self, listed: Listed) -> Iterator[Keyed]:
        """See beam.DoFn."""
        batch, index, of, head, element, given = listed
        yield batch, Report(self._name, index, of, self._made(head, element, given) if of else "").line

    def _made(self, head: str, element: str, given: str) -> str:
        done: dict[str, list[Message]] = {}
        for name, text in json.loads(given):
            done.setdefault(name, []).append(as_message(text))
        return as_text(self.counted(self.work(as_message(head), as_message(element), self.nothing | done)))


def _missing(before: str | None, report: Report) -> dict[str, int]:
    """How many reports are to come, by the names of those that have come before, and of this one."""
    left: dict[str, int] = json.loads(before) if before else {}
    return left | {report.name: left.get(report.name, max(report.of, 1)) - 1}


def as_report(line: str) -> Report:
    """A report as it was handed on."""
    return Report(*json.loads(line))


def as_text(message: Message) -> str:
    """A message as a report has it."""
    return _CODER.encode(message).decode()


def as_message(text: str) -> Message:
    """And back."""
    return _CODER.decode(text.encode())
