"""Staged files are trusted as far as their size, and files of the user as far as the digest that was taken of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.preparation.building import tokenizers
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.staging.stage import stage_unit
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import NO_SOURCES, Plan

CHANGED = "the file has changed since it was counted"


@pytest.mark.parametrize("damage", ["cut short", "gone"])
def test_a_staged_file_that_has_lost_something_is_staged_again(workshop: Any, damage: str) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("train", workshop.sentences(50)))]))
    (report,) = workshop.stage(plan)
    staged = Path(layout.staged(plan.head, 0))
    whole = staged.read_bytes()
    assert report.bytes == len(whole)
    if damage == "gone":
        staged.unlink()
    else:
        os.truncate(staged, len(whole) // 2)
    assert workshop.stage(plan) == [report]
    assert staged.read_bytes() == whole


def test_a_staged_file_that_is_whole_is_not_staged_again(workshop: Any) -> None:
    plan = workshop.plan(workshop.job([("train", workshop.corpus("train", workshop.sentences(50)))]))
    reports = workshop.stage(plan)
    path = Path(layout.staged(plan.head, 0))
    before = path.stat().st_ino
    assert workshop.stage(plan) == reports
    assert path.stat().st_ino == before


def replaced(path: Path) -> None:
    """Other text of the same size, in as many lines."""
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"e", b"o"))
    assert path.stat().st_size == len(whole)
    assert path.read_bytes() != whole


@pytest.mark.parametrize("name", ["train.en", "train.de"])
def test_a_file_that_changes_between_two_units_is_an_error(workshop: Any, name: str) -> None:
    corpus = workshop.corpus("train", workshop.sentences(90))
    plan = workshop.plan(workshop.job([("train", corpus)], unit_rows=30))
    first = stage_unit(plan.head, plan.units[0], NO_SOURCES)
    replaced(workshop.folder / name)
    for unit in plan.units[1:]:
        with pytest.raises(InputError, match=f"{name}: {CHANGED}; found digest .*; expected digest .*Run the same"):
            stage_unit(plan.head, unit, NO_SOURCES)
        assert not storage.exists(layout.unit_marker(plan.head, unit.index))
    assert stage_unit(plan.head, plan.units[0], NO_SOURCES) == first


def test_a_row_that_cannot_be_read_of_a_file_that_has_changed_is_no_fault_of_the_row(workshop: Any) -> None:
    corpus = workshop.corpus("train", workshop.sentences(90))
    plan = workshop.plan(workshop.job([("train", corpus)], on_error="fail"))
    path = workshop.folder / "train.en"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    with pytest.raises(InputError, match=f"train.en: {CHANGED}"):
        workshop.stage(plan)


@pytest.mark.parametrize("role", ["valid", "test", "benchmark"])
def test_a_held_out_set_that_changes_is_an_error(workshop: Any, role: str) -> None:
    corpora = [("train", workshop.corpus("train", workshop.sentences(50)))]
    corpora.append((role, workshop.corpus("held", workshop.sentences(20, seed=1))))
    plan = workshop.plan(workshop.job(corpora))
    replaced(workshop.folder / "held.en")
    with pytest.raises(InputError, match=f"held.en: {CHANGED}"):
        workshop.stage(plan)


def test_a_held_out_set_that_changes_is_an_error_in_later_generations_too(workshop: Any) -> None:
    held = ("valid", workshop.corpus("held", workshop.sentences(20, seed=1)))
    first = ("train", workshop.corpus("train", workshop.sentences(50)))
    workshop.prepare(workshop.job([first, held]))
    more = workshop.corpus("train-2", workshop.sentences(50, seed=2))
    both = first[1].model_copy(
        update={"source": (first[1].source, more.source), "target": (first[1].target, more.target)}
    )
    plan = workshop.plan(workshop.job([("train", both), held]))
    assert plan.head.generation == 1
    replaced(workshop.folder / "held.de")
    with pytest.raises(InputError, match=f"held.de: {CHANGED}"):
        workshop.stage(plan)


def test_rows_appended_to_a_file_are_for_the_next_generation(workshop: Any) -> None:
    rows = workshop.sentences(60)
    job = workshop.job([("train", workshop.corpus("train", rows[:50]))])
    plan = workshop.plan(job)
    workshop.corpus("train", rows)
    assert [report.read for report in workshop.stage(plan)] == [50]


def test_the_plan_grows_by_a_digest_a_unit_and_names_nothing_else(workshop: Any) -> None:
    corpus = workshop.corpus("train", workshop.sentences(90))
    plan = workshop.plan(workshop.job([("train", corpus)], unit_rows=10))
    told = [unit.parts[0].seals for unit in plan.units]
    assert len({seal.digest for seals in told for seal in seals}) == 18
    assert sum(len(seal.model_dump_json()) for seals in told for seal in seals) < 18 * 64
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_given_tokenizer_that_changes_is_an_error(workshop: Any) -> None:
    corpus = workshop.corpus("train", workshop.sentences(50))
    made = workshop.prepare(workshop.job([("train", corpus)], output="first"))
    given = str(workshop.folder / "first" / "tokenizer" / "joint.model")
    job = workshop.job([("train", corpus)], tokenizer={"model": given})
    assert made.source_tokenizer.digest == storage.digest_file(given)
    for digest in (made.source_tokenizer.digest, "0" * 32):
        plan = workshop.plan(
            job.model_copy(update={"tokenizer_digests": (digest, digest), "output": f"{job.output}-{digest}"})
        )
        staged = catalogue(plan, workshop.stage(plan))
        if digest == made.source_tokenizer.digest:
            assert tokenizers.make_tokenizers(plan.head, staged).source.digest == digest
            continue
        with pytest.raises(InputError, match=rf"joint\.model: {CHANGED}; found digest .*; expected digest 0{{32}}"):
            tokenizers.make_tokenizers(plan.head, staged)
