"""`seq2seq prepare` killed at random moments, or overtaken by another run: the same bytes in the end."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from pipelines import cli
from seq2seq_core import storage
from tests.small_corpus import Tree, publish_corpus, words
from tests.stores import Store

# Imports once, then forks: the moments fall into the work itself, and not into the start of an interpreter.
KILLED_AT_RANDOM_MOMENTS = """
import logging, os, random, signal, sys, time
from pipelines import cli
from pipelines.commands import prepare
from pipelines.graphs import prepare as graph
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import MANIFEST_NAME
import apache_beam.runners.portability.fn_api_runner
import pyarrow.parquet

def start(words):
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os._exit(cli.main(words))

def finish(words):
    began = time.monotonic()
    assert os.waitpid(start(words), 0)[1] == 0
    return time.monotonic() - began

moments, workers, output, *words = sys.argv[1:]
if int(workers):
    prepare._SMALL_BYTES, prepare.usable_cores = 0, lambda: int(workers)
draw = random.Random(4)
whole = finish([*words, "--output", output])
for moment in range(int(moments)):
    child = start([*words, "--output", f"{output}-{moment}"])
    time.sleep(whole * draw.random())
    if os.waitpid(child, os.WNOHANG) == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(os.path.exists(f"{output}-{moment}/{MANIFEST_NAME}"))
    finish([*words, "--output", f"{output}-{moment}"])
"""


@pytest.mark.parametrize(("workers", "moments"), [(0, 10), (2, 4)])
def test_killed_at_random_moments_the_same_command_ends_in_the_same_bytes(
    workers: int, moments: int, tmp_path: Path
) -> None:
    store = Store(str(tmp_path), {})
    publish_corpus(store)
    command = words(store)
    at = command.index("--output")
    del command[at : at + 2]
    script = [sys.executable, "-c", KILLED_AT_RANDOM_MOMENTS, str(moments), str(workers), store.url("out"), *command]
    ended = subprocess.run(script, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-4000:]
    undisturbed = store.tree("out")
    assert len(ended.stdout.split()) == moments
    assert "False" in ended.stdout
    for moment in range(moments):
        assert store.tree(f"out-{moment}") == undisturbed


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    store = Store(str(tmp_path_factory.mktemp("undisturbed")), {})
    publish_corpus(store)
    assert cli.main(words(store)) == 0
    return store.tree("out")


@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        ("local", "unit-00003-of-00006.json"),
        ("memory", "claim-00000.json"),
        ("memory", "unit-00003-of-00006.json"),
        ("memory", "train/part-00001"),
        ("memory", "dataset.json"),
    ],
)
def test_a_run_that_another_overtakes_at_a_write_leaves_nothing_behind(
    undisturbed: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, moment: str
) -> None:
    """Before one of its files appears, an identical run goes from its beginning to its end."""
    store = Store(str(tmp_path) if kind == "local" else f"memory://{uuid.uuid4().hex}", {})
    publish_corpus(store)
    publish, create = storage.publish, storage.create_exclusively

    def overtake(url: str) -> None:
        if moment in url:
            monkeypatch.undo()
            assert cli.main(words(store)) == 0

    @contextlib.contextmanager
    def publish_late(url: str, **how: bool) -> Iterator[IO[bytes]]:
        with publish(url, **how) as out:
            yield out
            overtake(url)

    def create_late(url: str, data: bytes) -> bool:
        overtake(url)
        return create(url, data)

    monkeypatch.setattr(storage, "publish", publish_late)
    monkeypatch.setattr(storage, "create_exclusively", create_late)
    assert cli.main(words(store)) == 0
    assert storage.publish is publish  # it was overtaken
    assert store.tree("out") == undisturbed
    storage.remove(store.root)
