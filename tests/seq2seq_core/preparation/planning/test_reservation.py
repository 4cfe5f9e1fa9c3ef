"""Several runs on one dataset, killed or at work: one adds a generation, and nothing of two is mixed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from seq2seq_core import storage
from seq2seq_core.claims import Holder, this_process
from seq2seq_core.dataset.generations import bring_up_to_date, generation_path, publish_newest
from seq2seq_core.dataset.manifest import MANIFEST_NAME, load_manifest, publish_manifest
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.dataset.verify import verify
from seq2seq_core.errors import ClaimError, DatasetError
from seq2seq_core.preparation.building.build import Decisions, build_shard
from seq2seq_core.preparation.planning.reservation import place_of, release, take_rest
from seq2seq_core.preparation.publishing.leftovers import remove_leftovers
from seq2seq_core.preparation.publishing.publish import finish
from seq2seq_core.preparation.shuffle.catalogue import catalogue
from seq2seq_core.preparation.terms.messages import Plan, ShardReport, Staged, UnitReport
from tests.growing import Landing, tree


@pytest.fixture
def dead() -> Holder:
    """A run whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return this_process().model_copy(update={"run": "dead", "process": process.pid})


def test_a_generation_that_was_committed_but_not_shown_is_shown(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    first = landing.prepare()
    landing.land("b", rows[50:])
    second = landing.prepare()
    whole = tree(output)
    publish_manifest(output, first)
    assert landing.prepare() == second
    assert tree(output) == whole
    storage.remove(storage.join(output, MANIFEST_NAME))
    assert landing.prepare() == second
    assert tree(output) == whole


def test_publishers_at_the_same_time_end_with_the_newest(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    first = landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    second = landing.prepare()
    assert publish_newest(output, first) == second
    assert load_manifest(output) == bring_up_to_date(output) == second


def test_a_dataset_copied_without_its_generations_grows_on(workshop: Any, landing: Landing, output: str) -> None:
    rows = workshop.sentences(150)
    landing.land("a", rows[:50])
    landing.prepare()
    storage.remove(storage.join(output, "generations"))
    landing.land("b", rows[40:])
    second = landing.prepare()
    assert [entry.index for entry in second.generations] == [0, 1]
    assert second.ledger.kept == {"train": 150}


def test_a_dataset_without_generations_cannot_grow(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    manifest = landing.prepare()
    storage.remove(storage.join(output, "generations"))
    publish_manifest(output, manifest.model_copy(update={"generations": ()}))
    with pytest.raises(DatasetError, match="made by an earlier version, so it cannot grow"):
        landing.prepare()


@pytest.mark.parametrize("begun", [0, 1])
def test_what_a_killed_run_began_is_finished_before_what_came_later(
    workshop: Any, landing: Landing, output: str, begun: int
) -> None:
    """With shards left to the program, whose number would follow from all files: it is the killed run's."""
    rows = workshop.sentences(300)
    parts = {"m": rows[:100], "z": rows[80:200], "a": rows[180:]}  # the file that lands last stands first in order
    names = list(parts)
    expected = Landing(workshop, f"{output}-expected", "other", shards=None)
    for name in names[: begun + 2]:
        expected.land(name, parts[name])
        expected.prepare()
    for name in names[: begun + 1]:
        landing.land(name, parts[name])
        if name != names[begun]:
            landing.prepare(shards=None)
    killed = workshop.plan(landing.job("host-2-bb", shards=None))
    units = workshop.stage(killed)[:1]
    landing.rename(names[begun], f"{names[begun]}-renamed")
    landing.land(names[begun + 1], parts[names[begun + 1]])
    finished = landing.prepare(shards=None)
    assert finished.fingerprint == killed.head.fingerprint
    assert take_rest(output, "host-1-aa")
    assert not take_rest(output, "host-1-aa")
    assert units
    landing.prepare(shards=None)
    assert not take_rest(output, "host-1-aa")
    parquet = [
        {path: d for path, d in tree(url).items() if path.endswith("parquet")} for url in (output, f"{output}-expected")
    ]
    assert parquet[0] == parquet[1]
    assert "_work" not in storage.list_folder(output)
    storage.remove(f"{output}-expected")


def test_other_inputs_are_refused_while_a_run_is_at_work(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    plan = workshop.plan(landing.job("host-7-beef"))
    landing.rename("b", "c")
    landing.land("c", workshop.sentences(50, seed=2))
    who = rf"process {os.getpid()} on \S+ since [0-9T:+-]+"
    message = (
        rf"other inputs is under way.*{plan.head.fingerprint}, claimed by {who}, with b\.en .*expected fingerprint"
    )
    with pytest.raises(ClaimError, match=message):
        workshop.plan(landing.job())
    release(output, "host-1-aa")
    with pytest.raises(ClaimError, match="under way"):
        workshop.plan(landing.job())
    release(output, "host-7-beef")
    assert landing.prepare().generations[1].inputs[0].origin == "c.en"


class Built(NamedTuple):
    """A generation with everything done but its publication."""

    plan: Plan
    units: list[UnitReport]
    staged: Staged
    decisions: Decisions
    shards: list[ShardReport]


def build_second(workshop: Any, landing: Landing, rows: list[tuple[str, str]], left_out: int = 0) -> Built:
    """A first generation of 50 rows, and a second of the rest, but for its last shards."""
    landing.land("a", rows[:50])
    landing.prepare()
    landing.land("b", rows[50:])
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    staged = catalogue(plan, units)
    decisions = workshop.decide(plan, staged)
    partitions = plan.head.partitions[: len(plan.head.partitions) - left_out]
    shards = [build_shard(plan.head, partition, staged, decisions) for partition in partitions]
    return Built(plan, units, staged, decisions, shards)


def test_only_one_of_two_runs_adds_a_generation(workshop: Any, landing: Landing, output: str) -> None:
    """Even when the claim of one was removed under it."""
    rows = workshop.sentences(150)
    plan, units, staged, decisions, shards = build_second(workshop, landing, rows[:100], left_out=1)
    storage.remove(place_of(output, 1).url)
    landing.rename("b", "c")
    landing.land("c", rows[90:])
    other = workshop.plan(landing.job())
    assert other.head.fingerprint != plan.head.fingerprint
    with pytest.raises(ClaimError, match="another run has taken over"):
        build_shard(plan.head, plan.head.partitions[-1], staged, decisions)
    storage.remove(place_of(output, 1).url)
    shards.append(build_shard(plan.head, plan.head.partitions[-1], staged, decisions))
    manifest = landing.prepare()
    assert verify(output).unlisted == ()
    with pytest.raises(DatasetError, match="another run has added generation 1; found fingerprint"):
        finish(plan, units, [decisions.tokenizers], shards)
    assert load_manifest(output) == manifest
    assert verify(output).rows == 110


def test_a_run_that_was_overtaken_says_so(workshop: Any, landing: Landing, output: str) -> None:
    plan, units, _, decisions, shards = build_second(workshop, landing, workshop.sentences(150))
    theirs = load_manifest(output)
    entry = theirs.generations[0].model_copy(update={"index": 1, "fingerprint": "f" * 32})
    theirs = theirs.model_copy(update={"fingerprint": "f" * 32, "generations": (entry,)})
    storage.publish_text(storage.join(output, generation_path(1)), theirs.model_dump_json())
    with pytest.raises(DatasetError, match=r"another run has added generation 1; found fingerprint f+; expected"):
        finish(plan, units, [decisions.tokenizers], shards)


def test_an_equal_run_that_commits_first_is_as_good(workshop: Any, landing: Landing, output: str) -> None:
    plan, units, _, decisions, shards = build_second(workshop, landing, workshop.sentences(150))
    second = landing.prepare()
    whole = tree(output)
    assert finish(plan, units, [decisions.tokenizers], shards).ledger == second.ledger
    assert tree(output) == whole


def test_a_claim_for_what_stands_already_is_withdrawn(
    workshop: Any, landing: Landing, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run commits and clears up between this one's look at the dataset and its claim."""
    landing.land("a", workshop.sentences(50))
    landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    create = storage.create_exclusively

    def create_late(url: str, data: bytes) -> bool:
        monkeypatch.setattr(storage, "create_exclusively", create)
        landing.prepare()
        return create(url, data)

    monkeypatch.setattr(storage, "create_exclusively", create_late)
    assert workshop.plan(landing.job()).head.is_done
    assert not storage.exists(place_of(output, 1).url)


def test_sweeping_leaves_alone_what_a_later_generation_is_made_of(workshop: Any, landing: Landing, output: str) -> None:
    landing.land("a", workshop.sentences(50))
    first = landing.prepare()
    landing.land("b", workshop.sentences(50, seed=1))
    plan = workshop.plan(landing.job())
    units = workshop.stage(plan)
    staged = catalogue(plan, units)
    build_shard(plan.head, plan.head.partitions[0], staged, workshop.decide(plan, staged))
    others = [
        "train/generation-00001-0badc0de/part-00000-of-00003.parquet",
        f"generations/.00001.json.{'a' * 32}.tmp",
        "_work/rest-00001-host-9-cc.json",
        "train/notes/mine.txt",
    ]
    for path in others:
        storage.publish_text(storage.join(output, path), "x")
    before = tree(output)
    remove_leftovers(output, first)
    assert tree(output) == before
    manifest = landing.prepare()
    left = set(tree(output))
    foreign = {"train/generation-00001-0badc0de/part-00000-of-00003.parquet", "train/notes/mine.txt"}
    assert {path.lstrip("/") for path in left} & set(others) == {"_work/rest-00001-host-9-cc.json", *foreign}
    following = manifest.generations[-1].model_copy(update={"index": 2})
    remove_leftovers(output, manifest.model_copy(update={"generations": (*manifest.generations, following)}))
    assert {path.lstrip("/") for path in tree(output)} & set(others) == foreign
    if "://" not in output:
        assert not Path(output, "_work").exists()


def test_what_an_abandoned_run_left_goes_when_its_generation_stands(
    workshop: Any, landing: Landing, output: str, dead: Holder
) -> None:
    """The shards of a killed run, whole and half written, are known by what it noted."""
    rows = workshop.sentences(120)
    landing.land("a", rows[:50])
    killed = workshop.plan(landing.job(shards=5).model_copy(update={"holder": dead}))
    units = workshop.stage(killed)
    staged = catalogue(killed, units)
    build_shard(killed.head, killed.head.partitions[0], staged, workshop.decide(killed, staged))
    half = f"train/.{shard_name(4, 5)}.{'b' * 32}.tmp"
    storage.publish_text(storage.join(output, half), "half")
    landing.prepare()
    assert verify(output).unlisted == ()
    assert "_work" not in storage.list_folder(output)


def test_the_claim_of_a_killed_run_with_another_configuration_is_taken_over(
    workshop: Any, landing: Landing, output: str, dead: Holder
) -> None:
    landing.land("a", workshop.sentences(50))
    workshop.plan(landing.job(deduplicate="none").model_copy(update={"holder": dead}))
    assert landing.prepare().ledger.kept == {"train": 50}


def test_an_interrupted_run_leaves_the_claim_to_the_one_it_had_joined(
    workshop: Any, landing: Landing, output: str
) -> None:
    landing.land("a", workshop.sentences(50))
    first, second = workshop.plan(landing.job("host-1-aa")), workshop.plan(landing.job("host-2-bb"))
    assert first.head.fingerprint == second.head.fingerprint
    release(output, "host-2-bb")
    with pytest.raises(ClaimError, match="another configuration is under way"):
        workshop.plan(landing.job("host-3-cc", deduplicate="none"))
    release(output, "host-1-aa")
    workshop.plan(landing.job("host-3-cc", deduplicate="none"))
