"""Engines for tests: the words after `--` that run a Beam job on each, with all servers it needs started and ended.

SEQ2SEQ_PRISM           the binary of Beam's Prism
SEQ2SEQ_FLINK_JAR       the jar of Beam's Flink job server, for the Flink of SEQ2SEQ_FLINK_VERSION (1.19 by default)
SEQ2SEQ_FLINK_HOME      a Flink of that version, for a session cluster: a folder with lib/flink-dist*.jar
SEQ2SEQ_SPARK_JOB_SERVER   a command that runs Beam's Spark job server in the foreground, with {port} for its port

A test asks `engine_options` for one of `ENGINES`; it skips, saying what to set, where an engine is not at hand.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Process, answers, free_port, running

ENGINES = ("local, 1 worker", "local, 4 workers", "Prism", "Flink, embedded", "Flink, session cluster", "Spark")

_SLOTS = 2
_OPENED = """java.base/java.lang java.base/java.lang.reflect java.base/java.net java.base/java.io java.base/java.nio
java.base/sun.nio.ch java.base/java.text java.base/java.time java.base/java.util java.base/java.util.concurrent
java.base/java.util.concurrent.atomic java.base/java.util.concurrent.locks"""
_JAVA = [
    "java",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
    *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENED.split()),
    "-XX:MaxDirectMemorySize=1g",
]
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"


class FlinkCluster:
    """A session cluster on loopback: a JobManager, a TaskManager and a pool of SDK workers, each a process of its own.

    Two TaskManagers beside one pool would ask it for workers of the same names, so there is only one at a time.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._rest, self._rpc, self._pool = free_port(), free_port(), free_port()
        (folder / "config.yaml").write_text("".join(f"{name}: {value}\n" for name, value in self._settings().items()))
        self._job_manager = self._java("jobmanager", _JOB_MANAGER, "512m")
        self._workers = self._task_manager = self._job_manager

    def start_workers(self) -> None:
        """Another pool of SDK workers."""
        command = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={self._pool}"]
        self._workers = Process(command, self._folder / "workers.log", _python_environment())
        self._workers.await_(lambda: answers(self._pool), "the pool of SDK workers listens")

    def start_task_manager(self) -> None:
        """Another TaskManager; it is registered when this returns."""
        self._task_manager = self._java("taskmanager", _TASK_MANAGER, "640m")
        self._task_manager.await_(lambda: self.slots == _SLOTS, "the TaskManager registers")

    def kill_task_manager(self) -> None:
        """SIGKILL; the cluster knows that it is gone when this returns."""
        self._task_manager.kill()
        self._job_manager.await_(lambda: self.slots == 0, "the JobManager misses the TaskManager")

    def kill_workers(self) -> None:
        """SIGKILL to the pool and all workers it has started."""
        self._workers.kill()

    def stop(self) -> None:
        for process in (self._task_manager, self._workers, self._job_manager):
            process.stop()

    @property
    def slots(self) -> int:
        """Task slots that the cluster has now; -1 while it does not answer."""
        try:
            return int(self._ask("overview")["slots-total"])
        except OSError:
            return -1

    @property
    def jobs(self) -> dict[str, int]:
        """How many jobs have which state."""
        states = [job["status"] for job in self._ask("jobs")["jobs"]]
        return {state: states.count(state) for state in states}

    def stop_with_savepoint(self) -> str:
        """End the one job that runs, with a savepoint; where that is, as an option takes it."""
        (job,) = (job["id"] for job in self._ask("jobs")["jobs"] if job["status"] == "RUNNING")
        asked = {"target-directory": f"file://{self._folder}/savepoints", "cancel-job": True}
        trigger = self._ask(f"jobs/{job}/savepoints", asked)["request-id"]
        while (found := self._ask(f"jobs/{job}/savepoints/{trigger}"))["status"]["id"] != "COMPLETED":
            time.sleep(0.5)
        return str(found["operation"]["location"])

    @property
    def options(self) -> list[str]:
        """The options of a Beam job that runs here."""
        address = [f"--flink_master=localhost:{self._rest}"]
        workers = ["--environment_type=EXTERNAL", f"--environment_config=localhost:{self._pool}"]
        kept = ["--environment_cache_millis=60000"]
        return [*_flink(), *address, *workers, *kept, f"--parallelism={_SLOTS}"]

    def _ask(self, what: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"http://localhost:{self._rest}/{what}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _java(self, name: str, entry: str, heap: str) -> Process:
        classes = f"{os.environ['SEQ2SEQ_FLINK_JAR']}:{self._home}/lib/*"  # as if the jar were in lib/
        words = [*_JAVA, f"-Xmx{heap}", "-cp", classes, entry, "--configDir", str(self._folder)]
        return Process(words, self._folder / f"{name}.log")

    def _settings(self) -> Mapping[str, object]:
        return {
            "jobmanager.rpc.address": "localhost",
            "jobmanager.rpc.port": self._rpc,
            "jobmanager.memory.process.size": "1600m",
            "rest.address": "localhost",
            "rest.port": self._rest,
            "taskmanager.host": "localhost",
            "taskmanager.numberOfTaskSlots": _SLOTS,
            "taskmanager.cpu.cores": float(_SLOTS),
            "taskmanager.memory.task.heap.size": "512m",
            "taskmanager.memory.task.off-heap.size": "0m",
            "taskmanager.memory.framework.heap.size": "128m",
            "taskmanager.memory.framework.off-heap.size": "128m",
            "taskmanager.memory.network.min": "512m",
            "taskmanager.memory.network.max": "512m",
            "taskmanager.memory.managed.size": "256m",
            "taskmanager.memory.jvm-metaspace.size": "256m",
            "taskmanager.memory.jvm-overhead.min": "128m",
            "taskmanager.memory.jvm-overhead.max": "128m",
            # Beam's classes are then the cluster's, and workers stay from one stage to the next.
            "classloader.resolve-order": "parent-first",
            # Beam's own --number_of_execution_retries is for streaming jobs alone; a batch job takes the cluster's.
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 10,
            "restart-strategy.fixed-delay.delay": "1 s",
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 5000,
            "io.tmp.dirs": self._folder,
        }


@pytest.fixture(scope="session")
def flink_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """A session cluster that is up."""
    _flink()
    home = Path(_setting("SEQ2SEQ_FLINK_HOME", "the folder of a Flink, with lib/flink-dist*.jar"))
    if not list(home.glob("lib/flink-dist*.jar")):
        pytest.fail(f"SEQ2SEQ_FLINK_HOME={home} has no lib/flink-dist*.jar")
    cluster = FlinkCluster(home, tmp_path_factory.mktemp("flink"))
    try:
        cluster.start_workers()
        cluster.start_task_manager()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def spark_job_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of Beam's Spark job server."""
    port = free_port()
    words = shlex.split(_setting("SEQ2SEQ_SPARK_JOB_SERVER", "a command that runs Beam's Spark job server on {port}"))
    with running([word.format(port=port) for word in words], tmp_path_factory.mktemp("spark") / "log") as server:
        server.await_(lambda: answers(port), "it listens")
        yield port


def engine_options(engine: str, request: pytest.FixtureRequest) -> list[str]:
    """Beam's options for one of `ENGINES`."""
    if engine == "local, 1 worker":
        return []
    if engine == "local, 4 workers":
        return ["--direct_running_mode=multi_processing", "--direct_num_workers=4"]
    if engine == "Prism":
        return ["--runner=PrismRunner", f"--prism_location={_setting('SEQ2SEQ_PRISM', 'the binary of Prism')}"]
    if engine == "Flink, embedded":
        return [*_flink(), "--environment_type=LOOPBACK", f"--parallelism={_SLOTS}"]
    if engine == "Flink, session cluster":
        cluster: FlinkCluster = request.getfixturevalue("flink_cluster")
        return cluster.options
    port: int = request.getfixturevalue("spark_job_server")
    return ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK"]


def _flink() -> list[str]:
    jar = _setting("SEQ2SEQ_FLINK_JAR", "the jar of Beam's Flink job server")
    version = os.environ.get("SEQ2SEQ_FLINK_VERSION", "1.19")
    return ["--runner=FlinkRunner", f"--flink_version={version}", f"--flink_job_server_jar={jar}"]


def _python_environment() -> dict[str, str]:
    """For processes that start `python` and import this project."""
    root = str(Path(__file__).parents[1])
    paths = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": root}
    return {name: os.pathsep.join(filter(None, [first, os.environ.get(name)])) for name, first in paths.items()}


def _setting(variable: str, what: str) -> str:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"set {variable} to {what}")
    return value
