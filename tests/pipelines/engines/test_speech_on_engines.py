"""Speech that is prepared or transcribed on real engines (`tests/engines.py` names them) gives the same bytes as on the
local runner.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from seq2seq_core.dataset.manifest import MANIFEST_NAME
from tests.engines import ENGINES, FlinkCluster, engine_options
from tests.processes import CLI, running, seq2seq
from tests.small_speech import Tree, publish_speech, words
from tests.stores import Store

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """The dataset as the local runner makes it."""
    store = Store(str(tmp_path_factory.mktemp("prepared")), {})
    publish_speech(store)
    seq2seq(*words(store))
    return store.tree("out")


@pytest.mark.parametrize("engine", ENGINES)
def test_prepare_gives_the_same_bytes(
    engine: str, request: pytest.FixtureRequest, prepared: Tree, tmp_path: Path
) -> None:
    store = Store(str(tmp_path), {})
    publish_speech(store)
    seq2seq(*words(store), "--", *engine_options(engine, request))
    assert store.tree("out") == prepared


@pytest.mark.parametrize("engine", ["Prism", "Flink, embedded"])
def test_a_run_that_is_killed_is_carried_on(
    engine: str, request: pytest.FixtureRequest, prepared: Tree, tmp_path: Path
) -> None:
    """By SIGKILL when some units are staged; the same command goes on."""
    store = Store(str(tmp_path / "store"), {})
    publish_speech(store)
    command = [*CLI, *words(store), "--", *engine_options(engine, request)]
    with running(command, tmp_path / "log") as run:
        while run.is_running and len(list((tmp_path / "store").glob("out/_work/*/staged/*.json"))) < 2:
            time.sleep(0.02)
        assert run.is_running, run.output[-6000:]
        run.kill()
    assert not (tmp_path / "store" / "out" / MANIFEST_NAME).exists()
    seq2seq(*command[len(CLI) :])
    assert store.tree("out") == prepared


def test_a_killed_task_manager_changes_no_byte(flink_cluster: FlinkCluster, prepared: Tree, tmp_path: Path) -> None:
    """By SIGKILL while units are staged; another one is started."""
    store = Store(str(tmp_path / "store"), {})
    publish_speech(store)
    command = [*CLI, *words(store), "--", *flink_cluster.options]
    with running(command, tmp_path / "log") as run:
        while run.is_running and not list((tmp_path / "store").glob("out/_work/*/staged/*.json")):
            time.sleep(0.02)
        flink_cluster.kill_task_manager()
        flink_cluster.start_task_manager()
        assert run.wait() == 0, run.output[-6000:]
    assert store.tree("out") == prepared
