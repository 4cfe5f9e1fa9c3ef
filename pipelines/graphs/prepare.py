"""A job in, a dataset folder out: the list of steps of a preparation as a graph of Beam, built and run.

Workers hand each other descriptions (units, reports); rows go from step to step through files of the output folder,
each published whole under a name that follows from its content. So a killed run goes on where it stopped, and the
result does not depend on the runner, the number of workers or retries.
"""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from pipelines.graphs import failures, message_coder, options
from pipelines.graphs.do_step import DoStep
from pipelines.local.watch import watching
from pipelines.local.workers import Workers
from seq2seq_core.claims import alive
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.planning.reservation import take_rest
from seq2seq_core.preparation.planning.watch import PreparationWatch
from seq2seq_core.preparation.steps import JOB, steps_of
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.messages import Job


def build(root: beam.Pipeline, job: Job, workers: Workers | None = None) -> dict[str, beam.PCollection[Message]]:
    """The graph of a preparation, unrun: the reports of each step.

    Args:
        root: Where the graph begins.
        job: What to do. Steps that it does not ask for are left out: each costs a start, on any engine.
        workers: Who does what takes long, on this machine; None: the workers of the engine.
    """
    message_coder.register()
    done = {JOB: root | JOB >> beam.Create([job], reshuffle=False).with_output_types(Message)}
    for step in steps_of(job):
        done[step.name] = done[step.of] | step.name >> DoStep(step, done, workers)
    return done


def run(job: Job, workers: Workers | None = None, beam_arguments: Sequence[str] = ()) -> bool:
    """Add a generation, or find nothing new; False when it must be tried again with a new job.

    That is so when another run had begun to add a part of what is new here: it becomes a generation of its own, and the
    rest the next one. And an error is not the last word when another run has added a generation meanwhile: it may have
    removed the work of this one, which is then done or looks different.

    Raises:
        Seq2SeqError: See `seq2seq_core.errors` for what workers meet.
    """
    before = _generations(job.output)
    pipeline = beam.Pipeline(options=options.parse(beam_arguments))
    build(pipeline, job, workers)
    try:
        with (
            alive(layout.notes(job.output), job.holder) as pulse,
            watching(PreparationWatch(job.output), pulse.tell),
        ):
            failures.run(pipeline)
    except (Exception, KeyboardInterrupt) as error:
        take_rest(job.output, job.run)
        if not isinstance(error, KeyboardInterrupt) and _generations(job.output) > before:
            return False
        raise
    return not take_rest(job.output, job.run)


def _generations(output: str) -> int:
    """How many generations of the dataset readers see; 0 when there is none, or none that can be read."""
    try:
        return load_manifest(output).newest + 1
    except DatasetError:
        return 0
