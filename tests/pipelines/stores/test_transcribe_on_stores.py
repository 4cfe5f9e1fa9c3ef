"""`seq2seq transcribe` from and to every store: the same bytes as on local disk, also when it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from seq2seq_core import storage
from tests.processes import CLI, running, seq2seq
from tests.stores import Store
from tests.tone_speech import talk, tree_of, write

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")

HOW = "--engine.kind=echo --voice.method=energy --unit_seconds=15 --format json jsonl"
TWO_WORKERS = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]

Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    write(folder / "long.flac", talk(70, seed=9))
    for number in range(4):
        write(folder / "short" / f"{number}.flac", talk(3 + number, seed=number))
    return folder


def publish(store: Store, talks: Path) -> None:
    for path in talks.rglob("*.flac"):
        storage.publish_bytes(store.url("in", path.relative_to(talks).as_posix()), path.read_bytes())


def words(model: str, store: Store) -> list[str]:
    return ["transcribe", "--model", model, "--input", store.url("in"), "--output", store.url("out"), *HOW.split()]


def transcribe(model: str, store: Store, extra: Sequence[str] = ()) -> Tree:
    seq2seq(*words(model, store), *extra, environment=store.environment)
    return without_places(store)


def without_places(store: Store) -> Tree:
    """The tree; where inputs stand is a part of transcripts, of their digests and of what these are a part of."""
    found = {
        name: data
        for name, data in tree_of(store.tree("out")).items()
        if not name.startswith(".units/") and name != "output.json"
    }
    manifest = json.loads(tree_of(store.tree("out"))["output.json"])
    told = [[entry["words"], entry["seconds"], entry["fingerprint"]] for entry in manifest["inputs"]]
    found["told"] = json.dumps(told).encode()
    return {name: data.replace(store.root.encode(), b"ROOT") for name, data in found.items()}


@pytest.fixture(scope="module")
def undisturbed(echo_model: str, talks: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    store = Store(str(tmp_path_factory.mktemp("undisturbed")), {})
    publish(store, talks)
    found = transcribe(echo_model, store)
    assert len([name for name in found if name.startswith(".speech/")]) > 4
    return found


@pytest.mark.parametrize("extra", [[], TWO_WORKERS], ids=["one worker", "two workers"])
def test_the_same_bytes_as_on_local_disk(
    object_store: Store, echo_model: str, talks: Path, undisturbed: Tree, extra: list[str]
) -> None:
    publish(object_store, talks)
    assert transcribe(echo_model, object_store, extra) == undisturbed
    assert transcribe(echo_model, object_store) == undisturbed  # which is up to date and stays


def test_a_killed_run_is_carried_on(
    object_store: Store, echo_model: str, talks: Path, undisturbed: Tree, tmp_path: Path
) -> None:
    publish(object_store, talks)
    with running([*CLI, *words(echo_model, object_store)], tmp_path / "log", object_store.environment) as run:
        while run.is_running and not storage.list_folder(object_store.url("out", ".speech")):
            time.sleep(0.02)
        run.kill()
    assert transcribe(echo_model, object_store) == undisturbed
