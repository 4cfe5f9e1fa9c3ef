"""Landing zones in, generations of a dataset out: one unbounded job, with the steps of every preparation in it.

A batch of files goes through the list of steps, whose reports carry its number. When its generation is published, the
ledger takes it down, and the source hands on the next. All that is done twice, as a bundle is done again, is done under
the same name and comes to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions

from pipelines.graphs import failures, message_coder, options
from pipelines.graphs.follow.do_step import Gathered, Keyed, Report, as_message, as_report, as_text, do_steps
from pipelines.graphs.follow.ending import Ending
from pipelines.graphs.follow.look import Batched, Watched
from pipelines.graphs.follow.notifications import Subscribed
from seq2seq_core.landing.ledger import forget_end
from seq2seq_core.landing.terms import Batch
from seq2seq_core.preparation.steps import JOB, PUBLISH
from seq2seq_core.preparation.terms.messages import Job, Terms

BATCH = "batch"
"""What the report is called that holds the batch itself."""


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
    begun = batches | "begin" >> beam.FlatMap(_begin, handling.begin).with_output_types(Keyed)
    done = do_steps(begun, followed.terms)
    published = (begun, done[PUBLISH]) | "published" >> Gathered((BATCH, JOB, PUBLISH))
    return published | "close" >> beam.Map(_close, handling.close).with_output_types(int)


def run(followed: Followed, beam_arguments: Sequence[str]) -> None:
    """Run it; this returns when it ends.

    Raises:
        Seq2SeqError: See `graphs.failures.run`.
    """
    output = followed.watched.output
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    build(pipeline, followed)
    forget_end(output)
    failures.run(pipeline, Ending(output).wait)


def _begin(batch: Batch, begin: Callable[[Batch], Job | None]) -> Iterator[Keyed]:
    job = begin(batch)
    if job is not None:
        yield batch.number, Report(JOB, 0, 1, as_text(job)).line
        yield batch.number, Report(BATCH, 0, 1, batch.model_dump_json()).line


def _close(published: tuple[int, list[str]], close: Callable[[Batch, Job], None]) -> int:
    number, lines = published
    texts = {report.name: report.text for report in map(as_report, lines)}
    close(Batch.model_validate_json(texts[BATCH]), cast(Job, as_message(texts[JOB])))
    return number
