"""A graph and Beam's options in; where these ask for it, a description of the job, which others start, out.

Dataflow's templates are such descriptions. What is described here is not done here: nobody holds a claim for it while
it runs, and nobody looks at what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions, StandardOptions, TestOptions
from apache_beam.runners.runner import PipelineResult

from pipelines.graphs import options

J = TypeVar("J")


def is_asked_for(beam_arguments: Sequence[str]) -> bool:
    """Whether the options ask for the description alone: of a template, or for a look at it (`--dry_run=True`)."""
    given = options.parse(beam_arguments)
    alone = given.view_as(GoogleCloudOptions).template_location or given.view_as(TestOptions).dry_run
    return bool(alone) and _is_dataflow(given)


def describe(build: Callable[[beam.Pipeline, J], Any], job: J, beam_arguments: Sequence[str]) -> PipelineResult:
    """Describe a job to Dataflow, where the options say; what Beam returns of that."""
    root = beam.Pipeline(options=options.parse(beam_arguments))
    build(root, job)
    return root.run()


def _is_dataflow(given: PipelineOptions) -> bool:
    """Other runners would not describe the job, but do it."""
    return "dataflow" in str(given.view_as(StandardOptions).runner).lower()
