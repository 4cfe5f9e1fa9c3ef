"""Every row of every unit is found by the catalogue exactly once, with the file and corpus it comes from."""

from __future__ import annotations

import functools
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.shuffle.catalogue import catalogue, places_of
from seq2seq_core.preparation.shuffle.gather import gather, staged_rows
from seq2seq_core.preparation.shuffle.staged_file import write_staged
from seq2seq_core.preparation.staging import stage
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.corpus import GIVEN_ROLES
from seq2seq_core.preparation.terms.messages import Job, Plan, Staged, UnitReport


def job_of(workshop: Any, **settings: Any) -> Job:
    rows = workshop.sentences(200)
    roles = [("train", "a", rows[:80]), ("train", "b", rows[80:130]), ("test", "t", rows[130:150])]
    roles += [("benchmark", "h", rows[150:160]), ("benchmark", "i", rows[160:175])]
    corpora = [(role, workshop.corpus(name, found)) for role, name, found in roles]
    job: Job = workshop.job(corpora, **({"unit_rows": 30, "shards": 5, "shares": {"valid": 0.2}} | settings))
    return job


def rows_of(plan: Plan, staged: Staged) -> Counter[tuple[object, ...]]:
    """Where each row comes from, and its text, over all slots and roles."""
    tables = [staged_rows(plan.head, staged, "train", slot) for slot in range(plan.head.slots)]
    tables += [staged_rows(plan.head, staged, role) for role in GIVEN_ROLES]
    columns = ("origin", "corpus", "line", "source", "target")
    found = (zip(*(table.column(name).to_pylist() for name in columns), strict=True) for table in tables)
    return Counter(row for rows in found for row in rows)


def expected_rows(plan: Plan) -> Counter[tuple[object, ...]]:
    """The same, as the files have it."""
    found: Counter[tuple[object, ...]] = Counter()
    for unit in {unit.origin: unit for unit in plan.units}.values():
        sides = [Path(url).read_text().splitlines() for url in unit.parts[0].source.urls]
        for line, (source, target) in enumerate(zip(*sides, strict=True), 1):
            found[unit.origin, unit.corpus, line, source, target] += 1
    return found


@pytest.mark.parametrize("run_bytes", [1, 500, 128 << 20])
@pytest.mark.parametrize("place", ["local", "memory"])
def test_every_row_is_found_once(workshop: Any, monkeypatch: pytest.MonkeyPatch, run_bytes: int, place: str) -> None:
    monkeypatch.setattr(stage, "write_staged", functools.partial(write_staged, run_bytes=run_bytes))
    job = job_of(workshop)
    if place == "memory":
        job = job.model_copy(update={"output": f"memory://{workshop.folder.name}-{run_bytes}"})
    plan = workshop.plan(job)
    reports = workshop.stage(plan)
    staged = catalogue(plan, reports[::-1])
    assert rows_of(plan, staged) == expected_rows(plan)
    assert sum(report.staged for report in reports) == 175
    assert (staged.read, staged.rejected) == (175, {})
    storage.remove(job.output)


def test_a_slot_that_nothing_was_dealt_to_takes_no_bytes_and_is_empty(workshop: Any) -> None:
    plan = workshop.plan(job_of(workshop, shards=400))
    staged = catalogue(plan, workshop.stage(plan))
    empty = [slot for slot in range(plan.head.slots) if places_of(plan.head, staged, "train", slot) is None]
    assert len(empty) > 200
    table, duplicates = gather(plan.head, plan.head.partitions[empty[0]], staged)
    assert (table.num_rows, duplicates) == (0, 0)
    assert {"id", "source", "origin", "corpus"} <= set(table.column_names)
    assert rows_of(plan, staged) == expected_rows(plan)


def test_what_was_rejected_is_told_of_all_units(workshop: Any) -> None:
    corpus = workshop.corpus("c", [*workshop.sentences(40), *[("same", "same")] * 4, ("", "x")])
    plan = workshop.plan(workshop.job([("train", corpus)], unit_rows=10))
    staged = catalogue(plan, workshop.stage(plan))
    assert (staged.read, staged.rejected) == (45, {"empty": 1, "identical": 4})


def damaged(path: Path, report: UnitReport, damage: str) -> None:
    if damage == "gone":
        path.unlink()
    else:
        os.truncate(path, report.positions // 2)


@pytest.mark.parametrize(("damage", "error"), [("gone", StorageError), ("cut short", DatasetError)])
def test_a_staged_file_that_is_damaged_is_named_and_a_rerun_mends_it(
    workshop: Any, damage: str, error: type[Exception]
) -> None:
    plan = workshop.plan(job_of(workshop))
    reports = workshop.stage(plan)
    staged = catalogue(plan, reports)
    before = rows_of(plan, staged)
    path = Path(layout.staged(plan.head, reports[-1].index))
    damaged(path, reports[-1], damage)
    name = path.name
    with pytest.raises(error, match=name):
        catalogue(plan, reports)
    with pytest.raises(error, match=name):
        rows_of(plan, staged)
    again = catalogue(plan, workshop.stage(plan))
    assert again == staged
    assert rows_of(plan, again) == before


def test_a_marker_of_another_version_does_not_count(workshop: Any) -> None:
    plan = workshop.plan(job_of(workshop))
    reports = workshop.stage(plan)
    storage.publish_text(layout.unit_marker(plan.head, reports[0].index), '{"index": 0, "path": "x", "bytes": 3}')
    assert workshop.stage(plan) == reports


def messages(workshop: Any, name: str, rows: int, unit_rows: int, shards: int) -> tuple[int, int, int]:
    """Number of units, and the bytes of what the workers of a unit and of a shard are told."""
    path = workshop.folder / name
    for suffix in ("en", "de"):
        Path(f"{path}.{suffix}").write_text("".join(f"{suffix} word {i}\n" for i in range(rows)))
    corpus = workshop.corpus("v", workshop.sentences(20, seed=3))
    train = corpus.model_copy(update={"source": f"{path}.en", "target": f"{path}.de"})
    job = workshop.job([("train", train), ("valid", corpus)], name, unit_rows=unit_rows, shards=shards)
    plan = make_plan(job, [index_input(job.recipe, input_) for input_ in job.inputs])
    head = plan.head.model_dump_json()
    staged = Staged(path=layout.catalogue(plan.head), positions=1 << 40, read=1 << 40, rejected={"words": 1 << 40})
    unit = max((len(unit.model_dump_json()) for unit in plan.units), default=0)
    shard = max(len(partition.model_dump_json()) for partition in plan.head.partitions)
    return len(plan.units), len(head) + unit, len(head) + shard + len(staged.model_dump_json())


def test_what_workers_are_told_does_not_grow_with_units_and_shards(workshop: Any) -> None:
    """A hundred times the units and the shards: a few digits more."""
    few = messages(workshop, "x0", 400, 200, 4)
    many = messages(workshop, "x1", 40_000, 200, 400)
    assert (few[0], many[0]) == (3, 201)
    for before, after in zip(few[1:], many[1:], strict=True):
        assert after - before < 60
