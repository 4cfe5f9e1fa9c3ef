"""A step of a preparation and what it needs in, its reports out, in each window: for engines that never end.

Beam's Flink runner cannot take a checkpoint of what has come in from the side. So nothing does here: all that a step
needs is grouped with what it is done for, and each element goes on with it. It is little, as all are descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from pipelines.graphs.do_step import Doing
from pipelines.graphs.message_coder import MessageCoder
from seq2seq_core.preparation.steps import JOB, Step, steps_of, told
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Terms

Named = tuple[str, str]
"""What a message is called, and the message as text."""

_KEY = 0
_CODER = MessageCoder()


def do_steps(jobs: beam.PCollection[Message], terms: Terms) -> dict[str, beam.PCollection[Message]]:
    """The steps of preparations, one preparation in each window: the reports of each step.

    Args:
        jobs: What to do, a job a window.
        terms: What they have in common.
    """
    done = {JOB: jobs}
    for step in steps_of(terms):
        needed = {name: done[name] for name in dict.fromkeys((step.of, *step.needs)) if name in done}
        done[step.name] = needed | step.name >> DoStepInWindow(step)
    return done


class Together(beam.PTransform):  # type: ignore[misc]
    """PCollections by name -> PCollection[list[Named]], an element a window: all that is in them."""

    def __init__(self, write: Callable[[Any], str] | None = None) -> None:
        """`write` makes a text of an element that is no message."""
        super().__init__()
        self._write = write or as_text

    def expand(self, named: Mapping[str, beam.PCollection[Any]]) -> beam.PCollection[list[Named]]:
        tagged = [
            found | f"Name-{name}" >> beam.Map(_tagged, name, self._write).with_output_types(tuple[int, Named])
            for name, found in named.items()
        ]
        return (
            tagged
            | "Flatten" >> beam.Flatten()
            | "Gather" >> beam.GroupByKey()
            | "All" >> beam.Map(_all).with_output_types(list[Named])
        )


class DoStepInWindow(beam.PTransform):  # type: ignore[misc]
    """PCollections by name: what the step is of, a message a window, and reports that it needs -> its reports."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._step = step

    def expand(self, named: Mapping[str, beam.PCollection[Message]]) -> beam.PCollection[Message]:
        step = self._step
        listed = (
            named | "Needed" >> Together() | "List" >> beam.ParDo(_List(step)).with_output_types(tuple[str, str, str])
        )
        if step.is_spread:
            listed = listed | "Spread" >> beam.Reshuffle()
        return listed | "Do" >> beam.ParDo(_Do(step)).with_output_types(Message)


class _List(beam.DoFn):  # type: ignore[misc]
    """What a step is done for: each with what workers are told, and what it needs."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._of, self._each, self._needs = step.of, step.each, frozenset(step.needs)

    def process(self, needed: list[Named]) -> Iterator[tuple[str, str, str]]:
        """See beam.DoFn."""
        whole = [text for name, text in needed if name == self._of]
        given = json.dumps([[name, text] for name, text in needed if name in self._needs])
        for text in whole:
            message: Any = as_message(text)
            head = as_text(told(message))
            for element in self._each(message):
                yield head, as_text(element), given


class _Do(Doing):
    """For one element of many."""

    def process(self, listed: tuple[str, str, str]) -> Iterator[Message]:
        """See beam.DoFn."""
        head, element, given = listed
        done: dict[str, list[Message]] = {}
        for name, text in json.loads(given):
            done.setdefault(name, []).append(as_message(text))
        yield self.counted(self.work(as_message(head), as_message(element), self.nothing | done))


def as_text(message: Message) -> str:
    """A message as it is grouped with others."""
    return _CODER.encode(message).decode()


def as_message(text: str) -> Message:
    """And back."""
    return _CODER.decode(text.encode())


def _tagged(element: Any, name: str, write: Callable[[Any], str]) -> tuple[int, Named]:
    return _KEY, (name, write(element))


def _all(keyed: tuple[int, Iterable[Named]]) -> list[Named]:
    """In an order of their own, as a bundle that is done again may see them in another one."""
    return sorted(keyed[1])
