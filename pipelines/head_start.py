"""A configuration in; its corpora are being staged by local workers while this process still imports Beam.

That and the graph keep one core busy; the others would stand idle meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future

from pipelines.prepare_job import PrepareConfig, begin_job, local_threads
from pipelines.running import local_workers
from pipelines.running.local_workers import LocalWorkers
from seq2seq_core import storage
from seq2seq_core.preparation.building.build import build_shard
from seq2seq_core.preparation.planning.planner import index_input, index_name, make_plan, plan_name
from seq2seq_core.preparation.planning.reservation import release, take_rest
from seq2seq_core.preparation.staging.held_out_sources import collect_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import NO_SOURCES, HeldOutSources, Job, Plan, Unit, UnitReport

logger = logging.getLogger(__name__)

_USED_BY_WORKERS = (build_shard,)  # imported before they are forked


@contextlib.contextmanager
def head_start(config: PrepareConfig, *, is_local: bool) -> Iterator[Job | None]:
    """Start workers for a preparation, and have them stage its units while the block runs, which is given the job.

    There are none for an engine (nor a job), for a corpus so small that one worker does, or where a process cannot be
    forked safely; then the block does everything.

    Raises:
        Seq2SeqError: See `prepare_job.begin_job`. What goes wrong in staging ahead, the block meets as well.
    """
    job = begin_job(config) if is_local else None
    if job is None or not _is_all_local(job) or local_threads(job) == 1 or not local_workers.can_start():
        yield job
        return
    try:
        with local_workers.started(local_threads(job)) as workers:
            threading.Thread(target=_stage_ahead, args=(workers, job), name="ahead", daemon=True).start()
            yield job
    except (Exception, KeyboardInterrupt):
        take_rest(config.output, job.run)
        release(config.output, job.run)
        raise


def _is_all_local(job: Job) -> bool:
    return all(storage.is_local(url) for url in (job.output, *(u for input_ in job.inputs for u in input_.source.urls)))


def _stage_ahead(workers: LocalWorkers, job: Job) -> None:
    try:
        indexed = [workers.begin(index_name(job, one.index), index_input, job.recipe, one) for one in job.inputs]
        plan = workers.begin(plan_name(job), make_plan, job, [begun.result() for begun in indexed]).result()
        held_out = [_stage(workers, plan, unit, NO_SOURCES) for unit in plan.units if unit.role != "train"]
        sources = NO_SOURCES
        if held_out:
            reports = [begun.result() for begun in held_out]
            sources = workers.begin(layout.held_out_sources(plan.head), collect_sources, plan, reports).result()
        for unit in plan.units:
            if unit.role == "train":
                _stage(workers, plan, unit, sources)
    except Exception:  # the run meets the same, and tells of it
        logger.debug("nothing more is staged ahead", exc_info=True)


def _stage(workers: LocalWorkers, plan: Plan, unit: Unit, sources: HeldOutSources) -> Future[UnitReport]:
    return workers.begin(layout.unit_marker(plan.head, unit.index), stage_unit, plan.head, unit, sources)
