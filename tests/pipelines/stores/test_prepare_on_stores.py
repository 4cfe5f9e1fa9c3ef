"""`seq2seq prepare` from and to every store: the same bytes, whoever races and whatever is killed."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.commands import prepare as command
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from tests.processes import CLI, running, seq2seq
from tests.small_corpus import SETTINGS, SHARDS, Tree, publish_corpus, words
from tests.stores import Store

OTHER_SETTINGS = SETTINGS.replace(f"--shards={SHARDS}", "--shards=2")
TWO_WORKERS = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]


def prepare(store: Store, extra: Sequence[str] = ()) -> Tree:
    seq2seq(*words(store), *extra, environment=store.environment)
    return store.tree("out")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The dataset as it is on local disk."""
    store = Store(str(tmp_path_factory.mktemp("undisturbed")), {})
    publish_corpus(store)
    dataset = prepare(store)
    assert len([name for name in dataset if name.startswith("train/")]) == SHARDS
    return dataset


@pytest.mark.parametrize("extra", [[], TWO_WORKERS], ids=["one worker", "two workers"])
def test_the_same_bytes_as_on_local_disk(object_store: Store, undisturbed: Tree, extra: list[str]) -> None:
    publish_corpus(object_store)
    assert prepare(object_store, extra) == undisturbed
    assert prepare(object_store) == undisturbed  # which is up to date and stays


def test_processes_beside_this_one_reach_the_store_too(
    object_store: Store, undisturbed: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here there is a thread already that talks to it, in which case nothing may be forked from this process."""
    publish_corpus(object_store)
    monkeypatch.setattr(command, "_SMALL_BYTES", 0)
    monkeypatch.setattr(command, "usable_cores", lambda: 2)
    assert cli.main(words(object_store)) == 0
    assert object_store.tree("out") == undisturbed


def test_two_identical_runs_at_once_end_in_one_dataset(object_store: Store, undisturbed: Tree, tmp_path: Path) -> None:
    publish_corpus(object_store)
    with (
        running([*CLI, *words(object_store)], tmp_path / "a.log", object_store.environment) as first,
        running([*CLI, *words(object_store)], tmp_path / "b.log", object_store.environment) as second,
    ):
        assert (first.wait(), second.wait()) == (0, 0), first.output + second.output
    assert object_store.tree("out") == undisturbed


def test_of_two_different_runs_at_once_one_is_refused(object_store: Store, undisturbed: Tree, tmp_path: Path) -> None:
    publish_corpus(object_store)
    with (
        running([*CLI, *words(object_store)], tmp_path / "a.log", object_store.environment) as first,
        running([*CLI, *words(object_store, OTHER_SETTINGS)], tmp_path / "b.log", object_store.environment) as second,
    ):
        ended = {first.wait(): first, second.wait(): second}
    refused = next(process for status, process in ended.items() if status)
    assert 0 in ended, first.output + second.output
    assert "of another configuration" in refused.output
    assert "fingerprint" in refused.output
    if ended[0] is first:
        assert object_store.tree("out") == undisturbed
    else:
        assert len(load_manifest(object_store.url("out")).splits["train"].shards) == 2
        assert not [name for name in object_store.tree("out") if name.endswith("of-00003.parquet")]


def test_killed_at_random_moments_the_same_command_ends_in_the_same_bytes(
    object_store: Store, undisturbed: Tree, tmp_path: Path
) -> None:
    """Each time after some more files have been written, wherever the run has got to by then."""
    publish_corpus(object_store)
    draw = random.Random(2)
    for files in (draw.randint(1, 4), draw.randint(5, 11), draw.randint(12, 18)):
        with running([*CLI, *words(object_store)], tmp_path / f"{files}.log", object_store.environment) as process:
            while process.is_running and len(written(object_store)) < files:
                time.sleep(0.02)
            process.kill()
    assert prepare(object_store) == undisturbed


def written(store: Store) -> list[str]:
    """What lies below the output folder."""
    return storage.files_below(store.url("out"))
