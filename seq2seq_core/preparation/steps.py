"""A job in, the list of steps that make a dataset of it out: what each is done for, its work, and what that needs.

Everything that prepares goes through this list: a graph of Beam is built from it (`pipelines.graphs.prepare`), and
`run_inline` does the same here and now. The work of a step is pure but for the files that it publishes under names that
follow from their content, and what is done already is seen by its marker: so it may be done again, anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq_core.preparation.building.build import Decisions, build_shard
from seq2seq_core.preparation.building.tokenizers import make_tokenizers
from seq2seq_core.preparation.known.merging import merge_part, parts_to_merge
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.publishing.publish import KnownReports, finish
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.sieves.caps import add_up, count_rows
from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.sieves.near.bands import write_bands
from seq2seq_core.preparation.sieves.near.rows import near_plan, rows_to_compare
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, write_drops
from seq2seq_core.preparation.staging.held_out_sources import collect_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.corpus import Message
from seq2seq_core.preparation.terms.known import MergedPart, MergePart
from seq2seq_core.preparation.terms.messages import (
    NO_INDEX,
    NO_SOURCES,
    BandsReport,
    Bucket,
    Buckets,
    Drops,
    EdgesReport,
    Head,
    HeldOutIndex,
    HeldOutSources,
    IndexedInput,
    Input,
    Job,
    Outcome,
    Partition,
    Plan,
    RowsBefore,
    ShardReport,
    SlotCounts,
    Staged,
    Terms,
    TokenizersReport,
    Unit,
    UnitReport,
)

Done = Mapping[str, Sequence[Any]]
"""The reports of the steps that a step needs, by their names, in no order; none of a step that nobody asked for."""

JOB, INDEX_INPUTS, PLAN = "job", "index_inputs", "plan"
STAGE_HELD_OUT, COLLECT_SOURCES, STAGE_TRAINING = "stage_held_out", "collect_sources", "stage_training"
CATALOGUE, COUNT_ROWS, ADD_UP = "catalogue", "count_rows", "add_up"
MAKE_TOKENIZERS, INDEX_HELD_OUT = "make_tokenizers", "index_held_out"
SIGN_SHARDS, FIND_BUCKETS, FIND_EDGES, CONNECT = "sign_shards", "find_buckets", "find_edges", "connect"
BUILD_SHARDS, MERGE_KNOWN, PUBLISH = "build_shards", "merge_known", "publish"


def _always(terms: Terms) -> bool:
    del terms
    return True


def _nothing(report: Message) -> Mapping[str, int]:
    del report
    return {}


@dataclass(frozen=True)
class Step:
    """One step of a preparation. All functions are of a module, so that they can be sent to other processes.

    Attributes:
        name: What its reports are known by.
        each: What it is done for: a list, of what `of` names. Each element can be done by itself, anywhere.
        work: What is done for an element: a function of what workers are `told`, the element and `Done`; a report
            comes out.
        of: What it is a step of: the job, or the plan that the step of this name has made.
        needs: Earlier steps whose reports the work is given, all of them.
        is_spread: Whether there are many elements, whose work takes long.
        is_asked_for: Whether the step is needed at all, by what is asked of a preparation.
        counts: What a report counts, by the name of the counter.
    """

    name: str
    each: Callable[[Any], Sequence[Message]]
    work: Callable[[Any, Any, Done], Message]
    of: str = PLAN
    needs: tuple[str, ...] = ()
    is_spread: bool = True
    is_asked_for: Callable[[Terms], bool] = _always
    counts: Callable[[Any], Mapping[str, int]] = _nothing


def told(whole: Job | Plan) -> Terms:
    """What workers are told of a job or plan: it does not grow with the number of files."""
    if isinstance(whole, Plan):
        return whole.head
    return Terms(**{name: getattr(whole, name) for name in Terms.model_fields})


def steps_of(terms: Terms) -> tuple[Step, ...]:
    """The steps that are asked for; each stands behind those it needs."""
    return tuple(step for step in STEPS if step.is_asked_for(terms))


def run_inline(terms: Terms, last: str | None = None, done: Done | None = None) -> dict[str, list[Any]]:
    """Do the steps here, one after the other; the reports of each. See the work of each for the errors.

    Args:
        terms: The job; where `done` has a plan already, that of its head.
        last: The step behind which this ends, whether or not it is asked for; default: the last.
        done: Reports that are there already, by the names of the steps that are not done, then.
    """
    reports: dict[str, list[Any]] = {JOB: [terms]} | {name: list(found) for name, found in (done or {}).items()}
    for step in STEPS:
        if step.name not in reports and step.is_asked_for(terms):
            (whole,) = reports[step.of]
            given = {name: reports.get(name, []) for name in step.needs}
            reports[step.name] = [step.work(told(whole), element, given) for element in step.each(whole)]
        if step.name == last:
            break
    return reports


def decisions_of(done: Done) -> Decisions:
    """What shards are built by, of the reports of the steps that find it out."""
    return Decisions(
        tokenizers=_only(done, MAKE_TOKENIZERS),
        held_out=_only(done, INDEX_HELD_OUT, NO_INDEX),
        before=_only(done, ADD_UP),
        near=_only(done, CONNECT),
    )


def _only(done: Done, name: str, otherwise: Any = None) -> Any:
    """The one report of a step, or of one that nobody asked for something else."""
    return next(iter(done.get(name, ())), otherwise)


def _inputs(job: Job) -> tuple[Input, ...]:
    return job.inputs


def _index_input(terms: Terms, element: Input, done: Done) -> IndexedInput:
    del done
    return index_input(terms.recipe, element)


def _job_itself(job: Job) -> tuple[Job]:
    return (job,)


def _make_plan(terms: Terms, job: Job, done: Done) -> Plan:
    del terms
    return make_plan(job, done[INDEX_INPUTS])


def _has_held_out_files(terms: Terms) -> bool:
    return terms.has_held_out_files


def _held_out_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role != "train"]


def _training_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == "train"]


def _stage(head: Head, unit: Unit, done: Done) -> UnitReport:
    return stage_unit(head, unit, _only(done, COLLECT_SOURCES, NO_SOURCES))


def _rows_staged(report: UnitReport) -> Mapping[str, int]:
    return {"rows_read": report.read, "rows_rejected": sum(report.rejected.values())}


def _plan_with_work(plan: Plan) -> list[Plan]:
    return [] if plan.head.is_done else [plan]


def _collect_sources(head: Head, plan: Plan, done: Done) -> HeldOutSources:
    del head
    return collect_sources(plan, done[STAGE_HELD_OUT])


def _units(done: Done) -> list[UnitReport]:
    return [*done[STAGE_HELD_OUT], *done[STAGE_TRAINING]]


def _catalogue(head: Head, plan: Plan, done: Done) -> Staged:
    del head
    return catalogue(plan, _units(done))


def _has_caps(terms: Terms) -> bool:
    return terms.has_caps


def _training_shards(plan: Plan) -> tuple[Partition, ...]:
    return plan.head.training


def _count_rows(head: Head, partition: Partition, done: Done) -> SlotCounts:
    return count_rows(head, partition, _only(done, CATALOGUE))


def _add_up(head: Head, plan: Plan, done: Done) -> RowsBefore:
    del plan
    return add_up(head, done[COUNT_ROWS])


def _make_tokenizers(head: Head, plan: Plan, done: Done) -> TokenizersReport:
    del plan
    return make_tokenizers(head, _only(done, CATALOGUE), _only(done, ADD_UP))


def _protects(terms: Terms) -> bool:
    return terms.protects


def _index_held_out(head: Head, plan: Plan, done: Done) -> HeldOutIndex:
    del plan
    return index_held_out(head, _only(done, CATALOGUE))


def _searches_near(terms: Terms) -> bool:
    return terms.recipe.near_duplicates is not None


def _sign_shard(head: Head, partition: Partition, done: Done) -> BandsReport:
    rows = rows_to_compare(head, partition, _only(done, CATALOGUE), _only(done, ADD_UP))
    return write_bands(near_plan(head), partition.index, rows)


def _find_buckets(head: Head, plan: Plan, done: Done) -> Buckets:
    del plan
    return find_buckets(near_plan(head), done[SIGN_SHARDS])


def _buckets(plan: Plan) -> list[Bucket]:
    count = 0 if plan.head.is_done else near_plan(plan.head).buckets
    return [Bucket(index=index) for index in range(count)]


def _find_edges(head: Head, bucket: Bucket, done: Done) -> EdgesReport:
    return find_edges(near_plan(head), bucket.index, _only(done, FIND_BUCKETS))


def _connect(head: Head, plan: Plan, done: Done) -> Drops:
    del plan
    return write_drops(near_plan(head), done[FIND_EDGES])


def _rows_near(report: Drops) -> Mapping[str, int]:
    return {"rows_near_duplicate": report.rows}


def _shards(plan: Plan) -> tuple[Partition, ...]:
    return plan.head.partitions


def _build_shard(head: Head, partition: Partition, done: Done) -> ShardReport:
    return build_shard(head, partition, _only(done, CATALOGUE), decisions_of(done))


def _rows_built(report: ShardReport) -> Mapping[str, int]:
    rejected = sum(report.rejected.values())
    return {"rows_kept": report.entry.rows, "rows_duplicate": report.duplicates, "rows_rejected": rejected}


def _is_known_later(terms: Terms) -> bool:
    return terms.recipe.deduplicate != "none" or _searches_near(terms)


def _parts_to_merge(plan: Plan) -> list[MergePart]:
    return [] if plan.head.is_done else parts_to_merge(plan.head.known)


def _merge_part(head: Head, part: MergePart, done: Done) -> MergedPart:
    del done
    return merge_part(head, part)


def _plan_itself(plan: Plan) -> tuple[Plan]:
    return (plan,)


def _publish(head: Head, plan: Plan, done: Done) -> Outcome:
    del head
    known = KnownReports(*(done.get(name, ()) for name in (MERGE_KNOWN, FIND_EDGES, CONNECT)))
    return finish(plan, _units(done), done[MAKE_TOKENIZERS], done[BUILD_SHARDS], known)


_STAGED = (STAGE_HELD_OUT, STAGE_TRAINING)

STEPS = (
    Step(INDEX_INPUTS, of=JOB, each=_inputs, work=_index_input),
    Step(PLAN, of=JOB, each=_job_itself, work=_make_plan, needs=(INDEX_INPUTS,), is_spread=False),
    Step(STAGE_HELD_OUT, each=_held_out_units, work=_stage, is_asked_for=_has_held_out_files, counts=_rows_staged),
    Step(
        COLLECT_SOURCES,
        each=_plan_with_work,
        work=_collect_sources,
        needs=(STAGE_HELD_OUT,),
        is_spread=False,
        is_asked_for=_has_held_out_files,
    ),
    Step(STAGE_TRAINING, each=_training_units, work=_stage, needs=(COLLECT_SOURCES,), counts=_rows_staged),
    Step(CATALOGUE, each=_plan_with_work, work=_catalogue, needs=_STAGED, is_spread=False),
    Step(COUNT_ROWS, each=_training_shards, work=_count_rows, needs=(CATALOGUE,), is_asked_for=_has_caps),
    Step(
        ADD_UP,
        each=_plan_with_work,
        work=_add_up,
        needs=(COUNT_ROWS,),
        is_spread=False,
        is_asked_for=_has_caps,
    ),
    Step(MAKE_TOKENIZERS, each=_plan_with_work, work=_make_tokenizers, needs=(CATALOGUE, ADD_UP), is_spread=False),
    Step(
        INDEX_HELD_OUT,
        each=_plan_with_work,
        work=_index_held_out,
        needs=(CATALOGUE,),
        is_spread=False,
        is_asked_for=_protects,
    ),
    Step(
        SIGN_SHARDS,
        each=_training_shards,
        work=_sign_shard,
        needs=(CATALOGUE, ADD_UP),
        is_asked_for=_searches_near,
    ),
    Step(
        FIND_BUCKETS,
        each=_plan_with_work,
        work=_find_buckets,
        needs=(SIGN_SHARDS,),
        is_spread=False,
        is_asked_for=_searches_near,
    ),
    Step(FIND_EDGES, each=_buckets, work=_find_edges, needs=(FIND_BUCKETS,), is_asked_for=_searches_near),
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
        needs=(CATALOGUE, MAKE_TOKENIZERS, INDEX_HELD_OUT, ADD_UP, CONNECT),
        counts=_rows_built,
    ),
    Step(MERGE_KNOWN, each=_parts_to_merge, work=_merge_part, is_asked_for=_is_known_later),
    Step(
        PUBLISH,
        each=_plan_itself,
        work=_publish,
        needs=(*_STAGED, MAKE_TOKENIZERS, BUILD_SHARDS, MERGE_KNOWN, FIND_EDGES, CONNECT),
        is_spread=False,
    ),
)
