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
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.publishing.publish import finish
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.sieves.caps import add_up, count_rows
from seq2seq_core.preparation.sieves.held_out import index_held_out
from seq2seq_core.preparation.sieves.near.bands import write_bands
from seq2seq_core.preparation.sieves.near.rows import near_plan, rows_to_compare
from seq2seq_core.preparation.sieves.near.search import find_buckets, find_edges, write_drops
from seq2seq_core.preparation.staging.held_out_sources import collect_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.messages import (
    NO_INDEX,
    NO_SOURCES,
    BandsReport,
    Bucket,
    Buckets,
    Decisions,
    Drops,
    EdgesReport,
    Head,
    HeldOutIndex,
    HeldOutSources,
    IndexedInput,
    Input,
    Job,
    Message,
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
BUILD_SHARDS, PUBLISH = "build_shards", "publish"
_STAGED = (STAGE_HELD_OUT, STAGE_TRAINING)


def _always(terms: Terms) -> bool:
    del terms
    return True


def _nothing(report: Message) -> Mapping[str, int]:
    del report
    return {}


def _head(plan: Plan) -> Head:
    return plan.head


@dataclass(frozen=True)
class Step:
    """One step of a preparation. All functions are of a module, so that they can be sent to other processes.

    Attributes:
        name: What its reports are known by.
        each: What it is done for, of what `of` names; each element can be done by itself, anywhere.
        work: What is done for an element: a function of what is told, the element and `Done`; a report comes out.
        of: What it is a step of: the job, or the plan that the step of this name has made.
        told: What those who do the work are told of that, whatever the element; it does not grow with the corpus.
        needs: Earlier steps whose reports the work is given, all of them; of steps with many elements none that is
            spread itself is given any, or what is sent would grow with the square.
        is_spread: Whether there are many elements, whose work takes long.
        is_asked_for: Whether a preparation on these terms needs the step at all.
        counts: What a report counts, by the name of the counter.
    """

    name: str
    each: Callable[[Any], Sequence[Message]]
    work: Callable[[Any, Any, Done], Message]
    of: str = PLAN
    told: Callable[[Any], Message] = _head
    needs: tuple[str, ...] = ()
    is_spread: bool = True
    is_asked_for: Callable[[Terms], bool] = _always
    counts: Callable[[Any], Mapping[str, int]] = _nothing


def steps_of(job: Job) -> tuple[Step, ...]:
    """The steps that a job asks for; each stands behind those it needs."""
    return tuple(step for step in STEPS if step.is_asked_for(job))


def run_inline(job: Terms, last: str | None = None, done: Done | None = None) -> dict[str, list[Any]]:
    """Do the steps of a job here, one after the other; the reports of each. See the work of each for the errors.

    Args:
        job: What to do; its terms are enough where the plan is there already.
        last: The step behind which this ends, whether or not it is asked for; default: the last.
        done: Reports that are there already, by the names of the steps that are not done, then.
    """
    reports: dict[str, list[Any]] = {JOB: [job]} | {name: list(found) for name, found in (done or {}).items()}
    for step in STEPS:
        if step.name not in reports and step.is_asked_for(job):
            (context,) = reports[step.of]
            told, given = step.told(context), {name: reports.get(name, []) for name in step.needs}
            reports[step.name] = [step.work(told, element, given) for element in step.each(context)]
        if step.name == last:
            break
    return reports


def decisions_of(done: Done) -> Decisions:
    """What shards are built by, of the reports of the steps that find it out."""
    (tokenizers,) = done[MAKE_TOKENIZERS]
    return Decisions(
        tokenizers=tokenizers,
        held_out=_only(done, INDEX_HELD_OUT) or NO_INDEX,
        before=_only(done, ADD_UP),
        near=_only(done, CONNECT),
    )


def _only(done: Done, name: str) -> Any:
    """The report of a step that is done once; None where nobody asked for it."""
    return next(iter(done.get(name, ())), None)


def _job(job: Job) -> tuple[Job]:
    return (job,)


def _terms(job: Job) -> Terms:
    return Terms.model_validate({name: getattr(job, name) for name in Terms.model_fields})


def _inputs(job: Job) -> tuple[Input, ...]:
    return job.inputs


def _index_input(terms: Terms, element: Input, done: Done) -> IndexedInput:
    del done
    return index_input(terms.recipe, element)


def _make_plan(terms: Terms, job: Job, done: Done) -> Plan:
    del terms
    return make_plan(job, done[INDEX_INPUTS])


def _plan(plan: Plan) -> tuple[Plan]:
    return (plan,)


def _plan_with_work(plan: Plan) -> list[Plan]:
    return [] if plan.head.is_done else [plan]


def _head_with_work(plan: Plan) -> list[Head]:
    return [] if plan.head.is_done else [plan.head]


def _has_held_out_files(terms: Terms) -> bool:
    return terms.has_held_out_files


def _held_out_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role != "train"]


def _training_units(plan: Plan) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == "train"]


def _stage_held_out(head: Head, unit: Unit, done: Done) -> UnitReport:
    del done
    return stage_unit(head, unit, NO_SOURCES)


def _collect_sources(head: Head, plan: Plan, done: Done) -> HeldOutSources:
    del head
    return collect_sources(plan, done[STAGE_HELD_OUT])


def _stage_training(head: Head, unit: Unit, done: Done) -> UnitReport:
    return stage_unit(head, unit, _only(done, COLLECT_SOURCES) or NO_SOURCES)


def _rows_staged(report: UnitReport) -> Mapping[str, int]:
    return {"rows_read": report.read, "rows_rejected": sum(report.rejected.values())}


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


def _add_up(head: Head, element: Head, done: Done) -> RowsBefore:
    del element
    return add_up(head, done[COUNT_ROWS])


def _make_tokenizers(head: Head, element: Head, done: Done) -> TokenizersReport:
    del element
    return make_tokenizers(head, _only(done, CATALOGUE), _only(done, ADD_UP))


def _protects(terms: Terms) -> bool:
    return terms.protects


def _index_held_out(head: Head, element: Head, done: Done) -> HeldOutIndex:
    del element
    return index_held_out(head, _only(done, CATALOGUE))


def _searches_near(terms: Terms) -> bool:
    return terms.recipe.near_duplicates is not None


def _sign_shard(head: Head, partition: Partition, done: Done) -> BandsReport:
    rows = rows_to_compare(head, partition, _only(done, CATALOGUE), _only(done, ADD_UP))
    return write_bands(near_plan(head), partition.index, rows)


def _find_buckets(head: Head, element: Head, done: Done) -> Buckets:
    del element
    return find_buckets(near_plan(head), done[SIGN_SHARDS])


def _buckets(plan: Plan) -> list[Bucket]:
    return [Bucket(index=index) for index in range(near_plan(plan.head).buckets)]


def _find_edges(head: Head, bucket: Bucket, done: Done) -> EdgesReport:
    return find_edges(near_plan(head), bucket.index, _only(done, FIND_BUCKETS))


def _connect(head: Head, element: Head, done: Done) -> Drops:
    del element
    return write_drops(near_plan(head), done[FIND_EDGES])


def _rows_near(drops: Drops) -> Mapping[str, int]:
    return {"rows_near_duplicate": drops.rows}


def _shards(plan: Plan) -> tuple[Partition, ...]:
    return plan.head.partitions


def _build_shard(head: Head, partition: Partition, done: Done) -> ShardReport:
    return build_shard(head, partition, _only(done, CATALOGUE), decisions_of(done))


def _rows_built(report: ShardReport) -> Mapping[str, int]:
    rejected = sum(report.rejected.values())
    return {"rows_kept": report.entry.rows, "rows_duplicate": report.duplicates, "rows_rejected": rejected}


def _publish(head: Head, plan: Plan, done: Done) -> Outcome:
    del head
    return finish(plan, _units(done), done[MAKE_TOKENIZERS], done[BUILD_SHARDS])


def _once(name: str, work: Callable[..., Message], *needs: str, **more: Any) -> Step:
    """A step that is done once, for the generation as a whole, where there is anything to do."""
    return Step(**({"each": _head_with_work} | more), name=name, work=work, needs=needs, is_spread=False)


STEPS = (
    Step(INDEX_INPUTS, of=JOB, told=_terms, each=_inputs, work=_index_input),
    _once(PLAN, _make_plan, INDEX_INPUTS, of=JOB, told=_terms, each=_job),
    Step(
        STAGE_HELD_OUT,
        each=_held_out_units,
        work=_stage_held_out,
        is_asked_for=_has_held_out_files,
        counts=_rows_staged,
    ),
    _once(COLLECT_SOURCES, _collect_sources, STAGE_HELD_OUT, each=_plan, is_asked_for=_has_held_out_files),
    Step(STAGE_TRAINING, each=_training_units, work=_stage_training, needs=(COLLECT_SOURCES,), counts=_rows_staged),
    _once(CATALOGUE, _catalogue, *_STAGED, each=_plan_with_work),
    Step(COUNT_ROWS, each=_training_shards, work=_count_rows, needs=(CATALOGUE,), is_asked_for=_has_caps),
    _once(ADD_UP, _add_up, COUNT_ROWS, is_asked_for=_has_caps),
    _once(MAKE_TOKENIZERS, _make_tokenizers, CATALOGUE, ADD_UP),
    _once(INDEX_HELD_OUT, _index_held_out, CATALOGUE, is_asked_for=_protects),
    Step(
        SIGN_SHARDS,
        each=_training_shards,
        work=_sign_shard,
        needs=(CATALOGUE, ADD_UP),
        is_asked_for=_searches_near,
    ),
    _once(FIND_BUCKETS, _find_buckets, SIGN_SHARDS, is_asked_for=_searches_near),
    Step(FIND_EDGES, each=_buckets, work=_find_edges, needs=(FIND_BUCKETS,), is_asked_for=_searches_near),
    _once(CONNECT, _connect, FIND_EDGES, is_asked_for=_searches_near, counts=_rows_near),
    Step(
        BUILD_SHARDS,
        each=_shards,
        work=_build_shard,
        needs=(CATALOGUE, MAKE_TOKENIZERS, INDEX_HELD_OUT, ADD_UP, CONNECT),
        counts=_rows_built,
    ),
    _once(PUBLISH, _publish, *_STAGED, MAKE_TOKENIZERS, BUILD_SHARDS, each=_plan),
)
