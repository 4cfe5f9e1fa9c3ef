"""`seq2seq prepare` adding to a dataset on every store: one generation, whoever races and whatever is killed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from tests.processes import CLI, Process, running, seq2seq
from tests.small_corpus import SETTINGS, Tree
from tests.stores import Store

_WORDS = ("man", "woman", "dog", "runs", "sleeps", "in", "on", "park", "street", "red", "green", "under", "bridge")
_PARTS = {"m": (0, 400), "z": (350, 650), "a": (600, 900)}


def land(store: Store, name: str, folder: str = "in") -> None:
    """A file of 300 or more rows, 50 of which stand in the one before."""
    draw = random.Random(1)
    rows = [" ".join(draw.choices(_WORDS, k=draw.randint(4, 9))) for _ in range(900)][slice(*_PARTS[name])]
    storage.publish_text(store.url(folder, f"{name}.en"), "".join(f"{row}\n" for row in rows))
    storage.publish_text(store.url(folder, f"{name}.de"), "".join(f"{row[::-1]}\n" for row in rows))


def words(store: Store, folder: str = "in") -> list[str]:
    sides = ["--source", store.url(folder, "*.en"), "--target", store.url(folder, "*.de")]
    return ["prepare", *sides, "--output", store.url("out"), *SETTINGS.split()]


def prepare(store: Store, folder: str = "in") -> Tree:
    seq2seq(*words(store, folder), environment=store.environment)
    assert verify(store.url("out")).unlisted == ()
    return store.tree("out")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Tree]:
    """The dataset on local disk by number of generations."""
    store = Store(str(tmp_path_factory.mktemp("grown")), {})
    found = {}
    for number, name in enumerate(_PARTS, 1):
        land(store, name)
        found[number] = prepare(store)
        assert len(load_manifest(store.url("out")).generations) == number
    return found


def test_a_dataset_grows_to_the_same_bytes_as_on_local_disk(object_store: Store, grown: dict[int, Tree]) -> None:
    for number, name in enumerate(_PARTS, 1):
        land(object_store, name)
        assert prepare(object_store) == grown[number]
    assert prepare(object_store) == grown[3]  # which is up to date and stays


def test_two_runs_that_add_the_same_at_once(object_store: Store, grown: dict[int, Tree], tmp_path: Path) -> None:
    land(object_store, "m")
    prepare(object_store)
    land(object_store, "z")
    with (
        running([*CLI, *words(object_store)], tmp_path / "a.log", object_store.environment) as first,
        running([*CLI, *words(object_store)], tmp_path / "b.log", object_store.environment) as second,
    ):
        assert (first.wait(), second.wait()) == (0, 0), first.output + second.output
    assert object_store.tree("out") == grown[2]


def test_two_runs_that_add_different_files_at_once_never_mix_them(object_store: Store, tmp_path: Path) -> None:
    """One of them is refused while the other is at work, or comes after it."""
    for folder, name in (("one", "z"), ("two", "a")):
        land(object_store, "m", folder)
        if folder == "one":
            prepare(object_store, folder)
        land(object_store, name, folder)
    folders = ("one", "two")
    with (
        running([*CLI, *words(object_store, "one")], tmp_path / "a.log", object_store.environment) as first,
        running([*CLI, *words(object_store, "two")], tmp_path / "b.log", object_store.environment) as second,
    ):
        ended: list[Process] = [first, second]
        status = [process.wait() for process in ended]
    assert 0 in status, first.output + second.output
    for process, code, folder in zip(ended, status, folders, strict=True):
        if code:
            assert "a preparation of other inputs is under way here" in process.output
            prepare(object_store, folder)
    manifest = load_manifest(object_store.url("out"))
    assert {entry.inputs[0].origin for entry in manifest.generations} == {"m.en", "z.en", "a.en"}
    assert manifest.ledger.read == 1000
    assert verify(object_store.url("out")).unlisted == ()


def test_killed_at_random_moments_a_generation_ends_in_the_same_bytes(
    object_store: Store, grown: dict[int, Tree], tmp_path: Path
) -> None:
    """Each time after some more files have been written; then another file lands and becomes the next generation."""
    land(object_store, "m")
    shown = prepare(object_store)
    land(object_store, "z")
    draw = random.Random(5)
    for files in (1, draw.randint(2, 6), draw.randint(7, 12)):
        before = len(storage.files_below(object_store.url("out")))
        with running([*CLI, *words(object_store)], tmp_path / f"{files}.log", object_store.environment) as process:
            while process.is_running and len(storage.files_below(object_store.url("out"))) - len(shown) < files:
                time.sleep(0.02)
            process.kill()
        assert len(storage.files_below(object_store.url("out"))) >= before
    land(object_store, "a")
    assert prepare(object_store) == grown[3]
