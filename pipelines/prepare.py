"""`seq2seq prepare`: raw corpora in, a dataset folder out, as one Beam job.

Workers hand each other descriptions (units, reports); rows go from step to step through files of the output folder,
each published whole under a name that follows from its content. So a killed run goes on where it stopped, and the
result does not depend on the runner, the number of workers or retries.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipelines.prepare_job import PrepareConfig, begin_job, local_threads, make_job
from pipelines.running import beam_options, failures, local_workers
from pipelines.running.watch import watching
from pipelines.transforms import message_coder
from pipelines.transforms.build_shards import BuildShards
from pipelines.transforms.catalogue_units import CatalogueUnits
from pipelines.transforms.count_rows import CountRows
from pipelines.transforms.index_held_out import IndexHeldOut
from pipelines.transforms.make_tokenizers import MakeTokenizers
from pipelines.transforms.near_duplicates import NearDuplicates
from pipelines.transforms.plan_units import PlanUnits
from pipelines.transforms.publish_dataset import PublishDataset
from pipelines.transforms.stage_units import StageUnits
from seq2seq_core import storage
from seq2seq_core.claims import alive
from seq2seq_core.dataset.manifest import Manifest, load_manifest
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.planning.reservation import take_rest
from seq2seq_core.preparation.planning.watch import PreparationWatch
from seq2seq_core.preparation.sieves.near.rows import near_plans, rows_to_compare
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import (
    Drops,
    Head,
    Job,
    NearPlan,
    Outcome,
    Plan,
    RowsBefore,
    ShardReport,
    Staged,
    UnitReport,
)
from seq2seq_core.report.dataset_page import write_beside

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """What the graph yields: the plan, a report of each unit and shard, and the outcome."""

    plan: beam.PCollection[Plan]
    units: beam.PCollection[UnitReport]
    shards: beam.PCollection[ShardReport]
    outcome: beam.PCollection[Outcome]


def build(root: beam.Pipeline, config: PrepareConfig) -> Prepared:
    """The graph of a preparation, unrun; see `prepare_job.make_job` for the errors."""
    return _build(root, make_job(config))


def _build(root: beam.Pipeline, job: Job) -> Prepared:
    message_coder.register()
    plan = root | "Plan units" >> PlanUnits(job)
    head = plan | "Head" >> beam.Map(_head).with_output_types(Head)
    units = plan | "Stage units" >> StageUnits(head, has_held_out_files=job.has_held_out_files)
    staged = plan | "Catalogue units" >> CatalogueUnits(units)
    # What a job does not ask for is left out of the graph: every step costs a start, on any engine.
    before = head | "Count rows" >> CountRows(staged) if job.has_caps else None
    tokenizers = head | "Make tokenizers" >> MakeTokenizers(staged, before)
    held_out = head | "Index held-out" >> IndexHeldOut(staged) if job.protects else None
    near = _search_near(head, staged, before) if job.recipe.near_duplicates else None
    shards = head | "Build shards" >> BuildShards(staged, tokenizers, held_out, before, near)
    outcome = plan | "Publish dataset" >> PublishDataset(units, tokenizers, shards)
    return Prepared(plan=plan, units=units, shards=shards, outcome=outcome)


def _head(plan: Plan) -> Head:
    return plan.head


def _search_near(
    head: beam.PCollection[Head], staged: beam.PCollection[Staged], before: beam.PCollection[RowsBefore] | None
) -> beam.PCollection[Drops]:
    plans = head | "Plan near-duplicates" >> beam.FlatMap(near_plans).with_output_types(NearPlan)
    sides = {"head": head, "staged": staged} | ({} if before is None else {"before": before})
    search = NearDuplicates(rows_to_compare, **{name: beam.pvalue.AsSingleton(side) for name, side in sides.items()})
    return plans | "Near-duplicates" >> search


def run(config: PrepareConfig, beam_arguments: Sequence[str] = (), job: Job | None = None) -> Manifest:
    """Prepare a dataset, or add what is new to it, and return its manifest.

    A dataset that is up to date stays as it is. When another run had begun to add a part of what is new here, that
    becomes a generation of its own, and the rest the next one. An error is not the last word when another run has
    added a generation meanwhile: it may have removed the work of this one, which is then done or looks different.

    Args:
        config: What to do.
        beam_arguments: Beam's own options; the runner is the local one unless they name another.
        job: What `begin_job` made of the configuration, where that has been called already.

    Raises:
        Seq2SeqError: See `prepare_job.make_job`, and `seq2seq_core.errors` for what workers meet.
    """
    beam_options.parse(beam_arguments)  # a mistake there is told of before any file is looked at
    while not _run_once(config, beam_arguments, job or begin_job(config)):
        job = None
        logger.info("%s: looking again for what is new", storage.redact(config.output))
    if config.report:
        write_beside(config.output)
    return load_manifest(config.output)


def _run_once(config: PrepareConfig, beam_arguments: Sequence[str], job: Job) -> bool:
    """Add a generation, or find nothing new; False when it must be tried again."""
    before = _generations(config.output)
    threads = 1 if local_workers.are_started() else local_threads(job)
    pipeline = beam.Pipeline(options=beam_options.parse(beam_arguments, threads))
    _build(pipeline, job)
    try:
        with alive(layout.notes(config.output), job.holder), watching(PreparationWatch(config.output)):
            failures.run(pipeline)
    except (Exception, KeyboardInterrupt) as error:
        take_rest(config.output, job.run)
        if not isinstance(error, KeyboardInterrupt) and _generations(config.output) > before:
            return False
        raise
    return not take_rest(config.output, job.run)


def _generations(output: str) -> int:
    """How many generations of the dataset readers see; 0 when there is none, or none that can be read."""
    try:
        return len(load_manifest(output).generations)
    except DatasetError:
        return 0
