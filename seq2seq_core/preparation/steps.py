"""A job in, the list of steps that make a dataset of it out: what each is done for, its work, and what that needs.

Everything that prepares goes through this list: a graph of Beam is built from it (`pipelines.graphs.prepare`), and
`run_inline` does the same here and now. The work of a step is pure but for the files that it publishes under names that
follow from their content, and what is done already is seen by its marker: so it may be done again, anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core.preparation.building.build import build_shard
from seq2seq_core.preparation.building.tokenizers import make_tokenizers
from seq2seq_core.preparation.planning.plan import index_input, make_plan
from seq2seq_core.preparation.publishing.finish import finish
from seq2seq_core.preparation.sieves.caps import count_rows
from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.sieves.near.bands import write_bands
from seq2seq_core.preparation.sieves.near.rows import near_plan, rows_to_compare
from seq2seq_core.preparation.sieves.near.search import find_edges, write_drops
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.messages import (
    NO_INDEX,
    BandsReport,
    Bucket,
    Decisions,
    EdgesReport,
    HeldOutIndex,
    IndexedInput,
    Input,
    Job,
    Message,
    NearReport,
    Outcome,
    Partition,
    Plan,
    ShardReport,
    SlotCounts,
    TokenizersReport,
    Unit,
    UnitReport,
)

Done = Mapping[str, Sequence[Any]]
"""The reports of the steps that a step needs, by their names, in no order; none of a step that nobody asked for."""

JOB, INDEX_INPUTS, PLAN = "job", "index_inputs", "plan"
STAGE_HELD_OUT, STAGE_TRAINING = "stage_held_out", "stage_training"
COUNT_ROWS, MAKE_TOKENIZERS, INDEX_HELD_OUT = "count_rows", "make_tokenizers", "index_held_out"
SIGN_SHARDS, FIND_EDGES, CONNECT = "sign_shards", "find_edges", "connect"
BUILD_SHARDS, PUBLISH = "build_shards", "publish"
_STAGED = (STAGE_HELD_OUT, STAGE_TRAINING)


def _always(job: Job) -> bool:
    del job
    return True


def _nothing(report: Message) -> Mapping[str, int]:
    del report
    return {}


@dataclass(frozen=True)
class Step:
    """One step of a preparation. All functions are of a module, so that they can be sent to other processes.

    Attributes:
        name: What its reports are known by.
        each: What it is done for, of what `of` names; each element can be done by itself, anywhere.
        work: What is done for an element: a function of the plan (or job), the element and `Done`; a report comes out.
        of: What it is a step of: the job, or the plan that the step of this name has made.
        needs: Earlier steps whose reports the work is given, all of them.
        is_spread: Whether there are many elements, whose work takes long.
        is_asked_for: Whether a job needs the step at all.
        counts: What a report counts, by the name of the counter.
    """

    name: str
    each: Callable[[Any], Sequence[Message]]
    work: Callable[[Any, Any, Done], Message]
    of: str = PLAN
    needs: tuple[str, ...] = ()
    is_spread: bool = True
    is_asked_for: Callable[[Job], bool] = _always
    counts: Callable[[Any], Mapping[str, int]] = _nothing


def steps_of(job: Job) -> tuple[Step, ...]:
    """The steps that a job asks for; each stands behind those it needs."""
    return tuple(step for step in STEPS if step.is_asked_for(job))


def run_inline(job: Job, last: str | None = None, done: Done | None = None) -> dict[str, list[Any]]:
    """Do the steps of a job here, one after the other; the reports of each. See the work of each for the errors.

    Args:
        job: What to do.
        last: The step behind which this ends, whether or not it is asked for; default: the last.
        done: Reports that are there already, by the names of the steps that are not done, then.
    """
    reports: dict[str, list[Any]] = {JOB: [job]} | {name: list(found) for name, found in (done or {}).items()}
    for step in STEPS:
        if step.name not in reports and step.is_asked_for(job):
            (context,) = reports[step.of]
            given = {name: reports.get(name, []) for name in step.needs}
            reports[step.name] = [step.work(context, element, given) for element in step.each(context)]
        if step.name == last:
            break
    return reports


def decisions_of(done: Done) -> Decisions:
    """What shards are built by, of the reports of the steps that find it out."""
    (tokenizers,) = done[MAKE_TOKENIZERS]
    return Decisions(
        tokenizers=tokenizers,
        held_out=next(iter(done.get(INDEX_HELD_OUT, ())), NO_INDEX),
        counts=tuple(done.get(COUNT_ROWS, ())),
        near=tuple(drop for report in done.get(CONNECT, ()) for drop in report.drops),
    )


def _itself(job: Job) -> tuple[Job]:
    return (job,)


def _inputs(job: Job) -> tuple[Input, ...]:
    return job.inputs


def _index_input(job: Job, element: Input, done: Done) -> IndexedInput:
    del done
    return index_input(job, element.index)


def _make_plan(job: Job, element: Job, done: Done) -> Plan:
    del element
    return make_plan(job, done[INDEX_INPUTS])


def _held_out_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role != "train"]


def _training_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == "train"]


def _has_held_out_files(job: Job) -> bool:
    return job.has_held_out_files


def _stage(plan: Plan, unit: Unit, done: Done) -> UnitReport:
    return stage_unit(plan, unit, sorted(report.path for report in done.get(STAGE_HELD_OUT, ())))


def _rows_staged(report: UnitReport) -> Mapping[str, int]:
    return {"rows_read": report.read, "rows_rejected": sum(report.rejected.values())}


def _units(done: Done) -> list[UnitReport]:
    return [*done[STAGE_HELD_OUT], *done[STAGE_TRAINING]]


def _has_caps(job: Job) -> bool:
    return job.has_caps


def _training_shards(plan: Plan) -> tuple[Partition, ...]:
    return plan.training


def _count_rows(plan: Plan, partition: Partition, done: Done) -> SlotCounts:
    return count_rows(plan, partition, _units(done))


def _plan_with_work(plan: Plan) -> list[Plan]:
    return [] if plan.is_done else [plan]


def _make_tokenizers(plan: Plan, element: Plan, done: Done) -> TokenizersReport:
    del element
    return make_tokenizers(plan, _units(done), done[COUNT_ROWS])


def _protects(job: Job) -> bool:
    return job.protects


def _index_held_out(plan: Plan, element: Plan, done: Done) -> HeldOutIndex:
    del element
    return index_held_out(plan, _units(done))


def _searches_near(job: Job) -> bool:
    return job.recipe.near_duplicates is not None


def _sign_shard(plan: Plan, partition: Partition, done: Done) -> BandsReport:
    rows = rows_to_compare(plan, partition, _units(done), done[COUNT_ROWS])
    return write_bands(near_plan(plan), partition.index, rows)


def _buckets(plan: Plan) -> list[Bucket]:
    return [Bucket(index=index) for index in range(near_plan(plan).buckets)]


def _find_edges(plan: Plan, bucket: Bucket, done: Done) -> EdgesReport:
    return find_edges(near_plan(plan), bucket.index, done[SIGN_SHARDS])


def _connect(plan: Plan, element: Plan, done: Done) -> NearReport:
    del element
    return NearReport(drops=tuple(write_drops(near_plan(plan), done[FIND_EDGES])))


def _rows_near(report: NearReport) -> Mapping[str, int]:
    return {"rows_near_duplicate": report.rows}


def _shards(plan: Plan) -> tuple[Partition, ...]:
    return plan.partitions


def _build_shard(plan: Plan, partition: Partition, done: Done) -> ShardReport:
    return build_shard(plan, partition, _units(done), decisions_of(done))


def _rows_built(report: ShardReport) -> Mapping[str, int]:
    rejected = sum(report.rejected.values())
    return {"rows_kept": report.entry.rows, "rows_duplicate": report.duplicates, "rows_rejected": rejected}


def _plan_itself(plan: Plan) -> tuple[Plan]:
    return (plan,)


def _publish(plan: Plan, element: Plan, done: Done) -> Outcome:
    del element
    return finish(plan, _units(done), done[MAKE_TOKENIZERS], done[BUILD_SHARDS])


STEPS = (
    Step(INDEX_INPUTS, of=JOB, each=_inputs, work=_index_input),
    Step(PLAN, of=JOB, each=_itself, work=_make_plan, needs=(INDEX_INPUTS,), is_spread=False),
    Step(STAGE_HELD_OUT, each=_held_out_units, work=_stage, is_asked_for=_has_held_out_files, counts=_rows_staged),
    Step(STAGE_TRAINING, each=_training_units, work=_stage, needs=(STAGE_HELD_OUT,), counts=_rows_staged),
    Step(COUNT_ROWS, each=_training_shards, work=_count_rows, needs=_STAGED, is_asked_for=_has_caps),
    Step(
        MAKE_TOKENIZERS,
        each=_plan_with_work,
        work=_make_tokenizers,
        needs=(*_STAGED, COUNT_ROWS),
        is_spread=False,
    ),
    Step(
        INDEX_HELD_OUT,
        each=_plan_with_work,
        work=_index_held_out,
        needs=_STAGED,
        is_spread=False,
        is_asked_for=_protects,
    ),
    Step(
        SIGN_SHARDS,
        each=_training_shards,
        work=_sign_shard,
        needs=(*_STAGED, COUNT_ROWS),
        is_asked_for=_searches_near,
    ),
    Step(FIND_EDGES, each=_buckets, work=_find_edges, needs=(SIGN_SHARDS,), is_asked_for=_searches_near),
    Step(
        CONNECT,
        each=_plan_with_work,
        work=_connect,
        needs=(FIND_EDGES,),
        is_spread=False,
        is_asked_for=_searches_near,
        counts=_rows_near,
    ),
    Step(
        BUILD_SHARDS,
        each=_shards,
        work=_build_shard,
        needs=(*_STAGED, MAKE_TOKENIZERS, INDEX_HELD_OUT, COUNT_ROWS, CONNECT),
        counts=_rows_built,
    ),
    Step(
        PUBLISH,
        each=_plan_itself,
        work=_publish,
        needs=(*_STAGED, MAKE_TOKENIZERS, BUILD_SHARDS),
        is_spread=False,
    ),
)
