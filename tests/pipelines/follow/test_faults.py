"""Following, killed at random moments while files land: no row is lost or there twice, and readers notice nothing.

How much: SEQ2SEQ_FOLLOW_KILLS (20), SEQ2SEQ_FOLLOW_FILES (2000) and SEQ2SEQ_FOLLOW_SECONDS (600); on object stores a
quarter of the kills. SEQ2SEQ_FLINK_CLUSTER names the program that starts a Flink cluster of several hosts.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from pipelines.commands import prepare
from seq2seq_core import storage
from seq2seq_core.dataset.manifest import load_manifest
from seq2seq_core.dataset.verify import verify
from seq2seq_core.landing.ledger import Ledger
from tests import river
from tests.engines import FlinkCluster
from tests.landing import batch, ids, land, rows_of
from tests.processes import Process
from tests.stores import Store

pytestmark = [pytest.mark.follow, pytest.mark.timeout(3600)]

KILLS, FILES = river.amount("kills", 20), river.amount("files", 2000)
SECONDS = river.amount("seconds", 600)
_JAVA = {"JDK_JAVA_OPTIONS": "--add-opens=java.base/java.util=ALL-UNNAMED"}
_START_SECONDS = 1200  # so long a busy machine may take to start it once more, and an engine, and to do what waits


def moments(kills: int) -> list[float]:
    draw = random.Random(7)
    return [draw.uniform(2.0, SECONDS) for _ in range(kills)]


def check(output: str, whole: Path) -> None:
    """The rows are those of one batch run over the files that landed, each once."""
    for number in range(FILES):
        text = "".join(f"{source}\t{target}\n" for source, target in rows_of(number))
        storage.publish_text(str(whole / "in" / f"{number:06d}.tsv"), text)
    prepare.run(batch(whole / "in", whole / "out"))
    found = ids(output)
    assert len(found) == len(set(found))
    assert found == ids(whole / "out")
    assert load_manifest(output).ledger.read == load_manifest(str(whole / "out")).ledger.read
    assert verify(output).unlisted == ()


def test_the_local_loop_killed(store: Store, tmp_path: Path) -> None:
    zone, output = store.url("in"), store.url("out")
    kills = KILLS if storage.is_local(store.root) else max(1, KILLS // 4)
    words = river.words(zone, output)

    def start() -> Process:
        return river.command(words, tmp_path / "log", store.environment)

    def kill(process: Process) -> Process:
        process.kill()
        return start()

    feeder, reader = river.Feeder(zone, FILES, SECONDS), river.Reader(output)
    feeder.start()
    reader.start()
    process = river.killed_again_and_again(start, kill, moments(kills))
    try:
        feeder.join()
        river.await_all(output, FILES, max(SECONDS, _START_SECONDS))
    finally:
        process.stop()
        reader.end()
    assert reader.looks
    assert reader.problems == []
    check(output, tmp_path / "whole")


class Hosts(threading.Thread):
    """A Flink cluster of two hosts, which are network namespaces of this machine; what ends by itself is started again.

    A TaskManager ends when it is not up within seconds, as on a machine that is busy.
    """

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self._program, self._folder = program, folder
        self._turn, self._ended = threading.RLock(), threading.Event()
        self._do("hosts", str(folder), "2")
        self.start()

    def bounce(self, host: int) -> None:
        """SIGKILL everything on a host, and start it again."""
        with self._turn:
            self._do("kill", str(self._folder), str(host))
            self._do("revive", str(self._folder), str(host))

    def run(self) -> None:
        """See Thread."""
        while not self._ended.wait(2.0):
            with self._turn:
                for host in (1, 2):
                    if not psutil.pid_exists(int((self._folder / f"taskmanager-{host}.pid").read_text())):
                        self.bounce(host)

    def stop(self) -> None:
        self._ended.set()
        self.join()
        self._do("stop", str(self._folder))

    def _do(self, *words: str) -> None:
        subprocess.run([self._program, *words], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    program = os.environ.get("SEQ2SEQ_FLINK_CLUSTER")
    if program is None:
        pytest.skip("set SEQ2SEQ_FLINK_CLUSTER to the program that starts a Flink cluster of several hosts")
    cluster = Hosts(program, tmp_path / "flink")
    yield cluster
    cluster.stop()


def test_an_unbounded_job_on_two_hosts_of_which_one_is_killed(hosts: Hosts, tmp_path: Path) -> None:
    zone, output = str(tmp_path / "in"), str(tmp_path / "out")
    jar = os.environ.get("SEQ2SEQ_FLINK_JAR", "")
    engine = [
        "--runner=FlinkRunner",
        "--flink_version=1.19",
        f"--flink_job_server_jar={jar}",
        "--flink_master=10.77.0.1:8081",
        "--environment_type=EXTERNAL",
        "--environment_config=localhost:50000",
        "--parallelism=2",
        "--checkpointing_interval=2000",
        "--number_of_execution_retries=1000",
        "--execution_retry_delay=1000",
        "--max_bundle_time_mills=50",
    ]
    draw = random.Random(3)

    def kill(process: Process) -> Process:
        hosts.bounce(draw.choice((1, 2)))
        return process

    feeder, reader = river.Feeder(zone, FILES, SECONDS), river.Reader(output)
    feeder.start()
    reader.start()

    def start() -> Process:
        return river.command(river.words(zone, output, engine), tmp_path / "log")

    process = river.killed_again_and_again(start, kill, moments(KILLS))
    try:
        feeder.join()
        river.await_all(output, FILES, max(2 * SECONDS, _START_SECONDS))
    finally:
        process.stop()
        reader.end()
    assert reader.looks
    assert reader.problems == []
    check(output, tmp_path / "whole")


def test_a_job_goes_on_from_its_savepoint_with_other_settings(flink_cluster: FlinkCluster, tmp_path: Path) -> None:
    zone, output = tmp_path / "in", str(tmp_path / "out")
    engine = [*flink_cluster.options, "--checkpointing_interval=2000", "--max_bundle_time_mills=50"]

    def started(first: int, *more: str, restored: Sequence[str] = ()) -> Process:
        for number in range(first, first + 20):
            land(zone, f"{number:06d}", rows_of(number))
        words = [*river.words(str(zone), output), *more, "--", *engine, *restored]
        return river.command(words, tmp_path / "log", _JAVA)

    process = started(0)
    try:
        process.await_(lambda: len(Ledger(output).refresh().files) == 20, "what has landed", 300)
        where = flink_cluster.stop_with_savepoint()
        process.wait(60)
        process.stop()
        process = started(20, "--report", "true", restored=[f"--savepoint_path={where}"])
        process.await_(lambda: len(Ledger(output).refresh().files) == 40, "what has landed since", 300)
    finally:
        process.stop()
    prepare.run(batch(zone, tmp_path / "whole"))
    assert ids(output) == ids(tmp_path / "whole")
    assert verify(output).unlisted == ()
