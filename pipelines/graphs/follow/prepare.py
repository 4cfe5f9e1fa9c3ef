"""Landing zones in, generations of a dataset out: one unbounded job, with the steps of every preparation in it.

A batch of files goes through the list of steps in a window of its own. When its generation is published, the ledger
takes it down, and the source hands on the next. All that is done twice, as a bundle is done again, is done under the
same name and comes to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions

from pipelines.graphs import failures, message_coder, options
from pipelines.graphs.follow.do_step import Named, Together, as_message, as_text, do_steps
from pipelines.graphs.follow.look import Batched, Watched
from pipelines.graphs.follow.notifications import Subscribed
from seq2seq_core.landing.terms import Batch
from seq2seq_core.preparation.steps import PUBLISH
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Job, Terms

_BATCH, _JOB, _OUTCOME = "batch", "job", "outcome"


@dataclass(frozen=True)
class Handling:
    """What is done with batches; functions of modules, or what can be sent to workers with its values.

    Attributes:
        begin: The job of a batch; None where nothing of it is left to do, and it is taken down.
        close: Takes down a batch whose job is done.
    """

    begin: Callable[[Batch], Job | None]
    close: Callable[[Batch, Job], None]


@dataclass(frozen=True)
class Followed:
    """What the job is for.

    Attributes:
        watched: What is looked at.
        terms: What all jobs of batches have in common.
        handling: What is done with batches.
    """

    watched: Watched
    terms: Terms
    handling: Handling


def build(root: beam.Pipeline, followed: Followed) -> beam.PCollection[int]:
    """The graph, unrun, in a pipeline that streams from now on: the numbers of batches that are published."""
    message_coder.register()
    root.options.view_as(StandardOptions).streaming = True
    watched, handling = followed.watched, followed.handling
    if watched.subscription is not None:
        root | "notifications" >> Subscribed(watched.subscription, watched.output)
    batches = root | "zones" >> Batched(watched)
    jobs = batches | "begin" >> beam.FlatMap(_begin, handling.begin).with_output_types(Message)
    done = do_steps(jobs, followed.terms)
    ended = {_BATCH: batches, _JOB: jobs, _OUTCOME: done[PUBLISH]}
    together = ended | "published" >> Together(_as_text)
    return together | "close" >> beam.FlatMap(_close, handling.close).with_output_types(int)


def run(followed: Followed, beam_arguments: Sequence[str]) -> None:
    """Run it; this returns when it ends.

    Raises:
        Seq2SeqError: See `graphs.failures.run`.
    """
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    build(pipeline, followed)
    failures.run(pipeline)


def _begin(batch: Batch, begin: Callable[[Batch], Job | None]) -> Iterator[Job]:
    job = begin(batch)
    if job is not None:
        yield job


def _close(ended: list[Named], close: Callable[[Batch, Job], None]) -> Iterator[int]:
    found: dict[str, list[str]] = {}
    for name, text in ended:
        found.setdefault(name, []).append(text)
    if _OUTCOME in found:  # else nothing of the batch was left to do, and it is taken down already
        (batch,), (job,) = found[_BATCH], found[_JOB]
        read = Batch.model_validate_json(batch)
        close(read, cast(Job, as_message(job)))
        yield read.number


def _as_text(element: Batch | Message) -> str:
    return element.model_dump_json() if isinstance(element, Batch) else as_text(element)
