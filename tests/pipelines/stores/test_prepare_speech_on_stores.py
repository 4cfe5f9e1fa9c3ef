"""`seq2seq prepare` of speech from and to every store: the same bytes as on local disk, also when it is killed."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from tests.processes import CLI, running, seq2seq
from tests.small_speech import SHARDS, STORED, Tree, publish_speech, words
from tests.stores import Store

TWO_WORKERS = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]


def prepare(store: Store, stored: str, extra: Sequence[str] = ()) -> Tree:
    seq2seq(*words(store, stored), *extra, environment=store.environment)
    return store.tree("out")


@pytest.fixture(scope="module", params=sorted(STORED))
def undisturbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tree]:
    """What shards hold, and the dataset as it is on local disk."""
    store = Store(str(tmp_path_factory.mktemp("undisturbed")), {})
    publish_speech(store)
    dataset = prepare(store, request.param)
    ledger = load_manifest(store.url("out")).ledger
    assert {"missing_audio": 1, "truncated_audio": 1, "wrong_duration": 1}.items() <= ledger.rejected.items()
    assert ledger.duplicates == 1
    assert len([name for name in dataset if name.startswith("train/")]) == SHARDS
    return request.param, dataset


@pytest.mark.parametrize("extra", [[], TWO_WORKERS], ids=["one worker", "two workers"])
def test_the_same_bytes_as_on_local_disk(object_store: Store, undisturbed: tuple[str, Tree], extra: list[str]) -> None:
    stored, expected = undisturbed
    publish_speech(object_store)
    assert prepare(object_store, stored, extra) == expected


def test_killed_at_random_moments_the_same_command_ends_in_the_same_bytes(
    object_store: Store, undisturbed: tuple[str, Tree], tmp_path: Path
) -> None:
    """Each time after some more files have been written, wherever the run has got to by then."""
    stored, expected = undisturbed
    publish_speech(object_store)
    draw = random.Random(2)
    for files in (draw.randint(1, 4), draw.randint(5, 11), draw.randint(12, 18)):
        command = [*CLI, *words(object_store, stored)]
        with running(command, tmp_path / f"{files}.log", object_store.environment) as process:
            while process.is_running and len(storage.files_below(object_store.url("out"))) < files:
                time.sleep(0.02)
            process.kill()
    assert prepare(object_store, stored) == expected
