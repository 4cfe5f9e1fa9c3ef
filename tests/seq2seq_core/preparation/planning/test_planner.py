"""Planning: units, shards, names, fingerprints and who may use a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.errors import ClaimError, DatasetError, InputError
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.planning.reservation import release


def test_units_cover_every_line_once(workshop: Any) -> None:
    rows = workshop.sentences(25)
    job = workshop.job([("train", workshop.corpus("c", rows))], unit_rows=10)
    units = workshop.plan(job).units
    assert [(unit.index, unit.parts[0].first_line) for unit in units] == [(0, 1), (1, 11), (2, 21)]
    for side in (0, 1):
        ends = [unit.parts[0].ranges[side] for unit in units]
        size = Path(units[0].parts[0].source.urls[side]).stat().st_size
        assert [begin for begin, _ in ends] == [0] + [end for _, end in ends[:-1]]
        assert ends[-1][1] == size


def test_shards_are_dealt_to_train_and_shares_and_given_splits(workshop: Any) -> None:
    train, test = workshop.corpus("c", workshop.sentences(5)), workshop.corpus("t", workshop.sentences(2))
    plan = workshop.plan(workshop.job([("train", train), ("test", test)], shares={"valid": 0.3}, shards=5))
    found = [(p.split, p.index, p.count, p.slot) for p in plan.head.partitions]
    assert found == [
        *[("train", i, 5, i) for i in range(5)],
        ("valid", 0, 2, 5),
        ("valid", 1, 2, 6),
        ("test", 0, 1, None),
    ]


def test_the_fingerprint_follows_content_and_recipe_not_places(workshop: Any) -> None:
    def fingerprint(name: str, rows: list[tuple[str, str]], output: str, **recipe: Any) -> str:
        found: str = workshop.plan(
            workshop.job([("train", workshop.corpus(name, rows))], output, **recipe)
        ).head.fingerprint
        return found

    rows = workshop.sentences(9)
    first, moved = fingerprint("here/c", rows, "o1"), fingerprint("there/c", rows, "o2")
    other, tuned = fingerprint("d/c", rows[::-1], "o3"), fingerprint("e/c", rows, "o4", deduplicate="none")
    assert first == moved
    assert len({first, other, tuned}) == 3


def test_unequal_sides_are_found_before_work_starts(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(3))
    Path(corpus.target).write_text("x\n" * 2, encoding="utf-8")
    job = workshop.job([("train", corpus)])
    with pytest.raises(InputError, match=r"c\.en has 3 lines and .*c\.de has 2 lines"):
        index_input(job.recipe, job.inputs[0])
    assert not Path(job.output).exists()


def test_an_input_that_is_missing_is_noticed(workshop: Any) -> None:
    job = workshop.job([("train", workshop.corpus("c", workshop.sentences(3)))])
    with pytest.raises(InputError, match="twice or not at all"):
        make_plan(job, [])


def test_a_folder_in_use_is_refused_with_both_fingerprints(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(3))
    first = workshop.job([("train", corpus)])
    second = workshop.job([("train", corpus)], deduplicate="none")
    plan = workshop.plan(first)
    assert workshop.plan(first) == plan
    with pytest.raises(
        ClaimError, match=rf"under way here.*{plan.recipe_fingerprint}, claimed by .*; expected fing.*Choose a new"
    ):
        workshop.plan(second)
    release(second.output, second.run)
    with pytest.raises(ClaimError):
        workshop.plan(second)
    release(first.output, first.run)
    assert workshop.plan(second).head.fingerprint != plan.head.fingerprint


def test_a_finished_dataset_is_up_to_date_or_refused(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(60))
    job = workshop.job([("train", corpus)])
    manifest = workshop.prepare(job)
    plan = workshop.plan(job)
    assert (plan.head.is_done, plan.units, plan.head.partitions) == (True, (), ())
    with pytest.raises(DatasetError, match=rf"changed: shards.*{manifest.recipe_fingerprint}; expected fingerprint "):
        workshop.plan(workshop.job([("train", corpus)], shards=3))
