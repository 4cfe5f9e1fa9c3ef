"""The sources of all held-out sets stand in one file, each once, on disks and stores."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.shuffle.hashing import digests
from seq2seq_core.preparation.staging.held_out_sources import collect_sources, load_sources
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms.messages import NO_SOURCES, Plan, UnitReport
from seq2seq_core.preparation.terms.octets import to_column


def staged(plan: Plan) -> list[UnitReport]:
    return [stage_unit(plan.head, unit, NO_SOURCES) for unit in plan.units if unit.role != "train"]


@pytest.mark.parametrize("place", ["local", "memory"])
def test_the_sources_of_all_sets_each_once(workshop: Any, place: str) -> None:
    rows = workshop.sentences(90)
    roles = [("train", rows[:50]), ("test", rows[50:70]), ("benchmark", [*rows[60:], ("", "alone")])]
    job = workshop.job([(role, workshop.corpus(role, found)) for role, found in roles], unit_rows=7)
    if place == "memory":
        job = job.model_copy(update={"output": f"memory://{workshop.folder.name}/out"})
    plan = workshop.plan(job)
    sources = collect_sources(plan, staged(plan))
    assert sources.path is not None
    texts = pa.array([source for source, _ in rows[50:]], pa.large_string())
    assert sorted(load_sources(sources.path).to_pylist()) == sorted(to_column(digests(texts)).to_pylist())
    storage.remove(job.output)


def test_without_such_sets_there_is_no_file(workshop: Any) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("c", workshop.sentences(9)))]))
    assert collect_sources(plan, []) == NO_SOURCES


def test_sets_without_a_row_that_stays_hold_nothing_out(workshop: Any) -> None:
    rows = workshop.sentences(60)
    held = workshop.corpus("t", [("", ""), ("", "")])
    manifest = workshop.prepare(workshop.job([("train", workshop.corpus("c", rows)), ("test", held)]))
    assert manifest.ledger.kept == {"train": 60, "test": 0}
    assert manifest.ledger.rejected == {"empty": 2}


def test_a_set_that_is_missing_is_noticed(workshop: Any) -> None:
    rows = workshop.sentences(60)
    plan = workshop.plan(
        workshop.job([("train", workshop.corpus("c", rows)), ("test", workshop.corpus("t", rows[:9]))])
    )
    reports = staged(plan)
    for wrong in ([], [*reports, *reports]):
        with pytest.raises(DatasetError, match="a unit is missing or there twice"):
            collect_sources(plan, wrong)
