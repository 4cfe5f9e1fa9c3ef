"""Small corpora are cut as they always were; larger ones into pieces whose number grows as they do."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.terms.index import FileIndex
from seq2seq_core.preparation.planning.planner import index_input, make_plan
from seq2seq_core.preparation.planning.sizes import default_shards, parts_a_unit
from seq2seq_core.preparation.terms.recipe import Recipe
from tests.growing import Landing, tree

MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40
SMALL = 512 * MIB
PAIR_BYTES, PART_ROWS = 135, 250_000


def units(total: int) -> int:
    """Units of a plain corpus of short sentences."""
    parts = math.ceil(total / (PAIR_BYTES * PART_ROWS))
    return math.ceil(parts / parts_a_unit(total, index(parts, total)))


def index(parts: int, total: int, url: str = "a.tsv") -> list[FileIndex]:
    cuts = tuple(range(parts + 1))
    return [FileIndex(url=url, bytes=total, fingerprint="", lines=9, cuts=cuts, starts=cuts)]


@given(st.integers(1, SMALL))
def test_small_corpora_are_cut_as_they_always_were(total: int) -> None:
    count = math.ceil(total / (8 * MIB))
    assert default_shards(total) == (count + count % 2 if count > 1 else count)
    assert parts_a_unit(total, index(9, total)) == 1


@given(st.integers(1, 10 * TIB), st.integers(0, TIB))
def test_more_text_is_never_dealt_to_fewer_shards(total: int, more: int) -> None:
    assert default_shards(total) <= default_shards(total + more)


@given(st.integers(2, 10 * TIB))
def test_a_shard_and_a_unit_fit_a_worker(total: int) -> None:
    shards = default_shards(total)
    assert shards % 2 == 0 or shards == 1
    assert total / shards <= 128 * MIB + 1
    parts = math.ceil(total / (PAIR_BYTES * PART_ROWS))
    assert parts_a_unit(total, index(parts, total)) * PAIR_BYTES * PART_ROWS <= 130 * MIB


def test_pieces_grow_as_the_corpus_does_and_then_stay_of_a_useful_size() -> None:
    pieces = {total: default_shards(total) * units(total) for total in (GIB, 10 * GIB, 100 * GIB)}
    for before, after in itertools.pairwise(pieces.values()):
        assert after < 10**1.5 * 1.1 * before
    assert pieces[GIB] < 3000
    assert pieces[100 * GIB] < 1_000_000
    for total in (GIB, 10 * GIB, 100 * GIB, TIB):
        assert total / (default_shards(total) * units(total)) > 12_000


@pytest.mark.parametrize(("total", "shards"), [(GIB, 92), (10 * GIB, 288), (128 * GIB, 1024), (TIB, 8192)])
def test_there_is_work_for_many_workers(total: int, shards: int) -> None:
    assert default_shards(total) == shards
    assert units(total) > shards / 6


def test_files_that_cannot_be_cut_and_compressed_ones() -> None:
    packed = [FileIndex(url="a.gz", bytes=GIB, fingerprint="", lines=None, cuts=(0,), starts=(0,))]
    assert parts_a_unit(100 * GIB, packed) == 1
    assert parts_a_unit(100 * GIB, index(1000, 10 * MIB)) > 1000


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus of a few kilobytes counts as a large one."""
    for name, value in {"_SMALL_BYTES": 1000, "_SHARD_BYTES": 500, "_UNIT_BYTES": 1500, "_MOST_BYTES": 10_000}.items():
        monkeypatch.setattr(f"seq2seq_core.preparation.planning.sizes.{name}", value)
    for module in ("planner", "generation"):
        monkeypatch.setattr(f"seq2seq_core.preparation.planning.{module}.PART_ROWS", 10)


@pytest.mark.usefixtures("small_parts")
def test_units_of_several_parts_hold_the_rows_of_all(workshop: Any) -> None:
    rows = [*workshop.sentences(300), ("same", "same")]
    job = workshop.job([("train", workshop.corpus("c", rows))], "together", shards=3)
    plan = make_plan(job, [index_input(job.recipe, input_) for input_ in job.inputs])
    sizes = [len(unit.parts) for unit in plan.units]
    assert sum(sizes) == 31
    assert max(sizes) > 1
    assert [part.first_line for unit in plan.units for part in unit.parts] == list(range(1, 302, 10))
    together = workshop.prepare(job)
    apart = workshop.prepare(workshop.job([("train", workshop.corpus("c", rows))], "apart", shards=3, unit_rows=10))
    assert together.digest == apart.digest
    assert together.ledger == apart.ledger
    assert together.recipe_fingerprint == apart.recipe_fingerprint
    assert together.fingerprint != apart.fingerprint  # a run that finds the other's work does not take it for its own


@pytest.mark.usefixtures("small_parts")
def test_a_growing_dataset_cuts_and_deals_each_generation_by_itself(workshop: Any, output: str) -> None:
    landing = Landing(workshop, output, shards=None, unit_rows=None)
    rows = workshop.sentences(400)
    landing.land("a", rows[:20])
    first = landing.prepare()
    landing.land("b", rows[20:])
    plan = workshop.plan(landing.job())
    assert plan.head.dealt["train"] > len(first.splits["train"].shards)
    assert max(len(unit.parts) for unit in plan.units) > 1
    second = landing.prepare()
    assert second.ledger.kept == {"train": 400}
    before = tree(output)
    landing.prepare()
    assert tree(output) == before


def test_the_default_and_the_same_number_said_out_loud_are_one_configuration(workshop: Any) -> None:
    corpus = workshop.corpus("c", workshop.sentences(60))
    first = workshop.prepare(workshop.job([("train", corpus)]))
    assert workshop.plan(workshop.job([("train", corpus)], unit_rows=250_000)).head.is_done
    assert Recipe().unit_rows is None
    assert workshop.plan(workshop.job([("train", corpus)], unit_rows=250_000)).recipe_fingerprint == (
        first.recipe_fingerprint
    )
