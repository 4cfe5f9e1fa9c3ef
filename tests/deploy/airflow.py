"""An environment with Airflow in; its scheduler, with the local executor, at work on a DAG of ours, out."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.validators import DEPLOY

SCHEDULES = DEPLOY / "schedules"
DAG = "seq2seq_nightly"
_KEY = "0123456789abcdef" * 4
_START_SECONDS, _RUN_SECONDS = 600, 1200
_LOAD = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
print(dag.dag_id, *(f"{task.task_id}>{','.join(sorted(task.downstream_task_ids))}" for task in dag.topological_sort()))
"""


@dataclass(frozen=True)
class Airflow:
    """An installation, with a home of its own.

    Attributes:
        bin: The programs of its environment.
        home: Its folder; `dags` in it holds the DAG.
        variables: Its environment.
    """

    bin: Path
    home: Path
    variables: Mapping[str, str]

    def load(self) -> list[str]:
        """What its DagBag finds: the name of the DAG, and its tasks with what follows them."""
        done = self._run(str(self.bin / "python"), "-c", _LOAD, str(self.home / "dags"))
        return done.splitlines()[-1].split()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The server that tasks talk to, and then what finds and schedules them, until the block ends."""
        self._run(str(self.bin / "airflow"), "db", "migrate")
        with contextlib.ExitStack() as running:
            running.enter_context(self._started("api-server"))
            port = int(self.variables["AIRFLOW__API__PORT"])
            until = time.monotonic() + _START_SECONDS
            while not _listens(port):
                assert time.monotonic() < until, (self.home / "api-server.log").read_text()[-3000:]
                time.sleep(0.5)
            for name in ("dag-processor", "scheduler"):
                running.enter_context(self._started(name))
            yield

    def trigger(self, run: str, conf: str) -> None:
        """Ask for a run."""
        self._run(str(self.bin / "airflow"), "dags", "trigger", DAG, "--run-id", run, "--conf", conf)

    def wait(self, runs: int) -> list[tuple[str, dict[str, str]]]:
        """Wait until so many runs have ended; how each did, and its tasks."""
        until = time.monotonic() + _RUN_SECONDS
        while True:
            found = self._states()
            if sum(state in ("success", "failed") for state, _ in found) >= runs:
                return found
            if time.monotonic() > until:
                raise AssertionError(f"{found}\n{(self.home / 'scheduler.log').read_text()[-3000:]}")
            time.sleep(1)

    def logs(self) -> str:
        """What all tasks said."""
        return "".join(path.read_text() for path in sorted((self.home / "logs").rglob("attempt=*.log")))

    def _states(self) -> list[tuple[str, dict[str, str]]]:
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True, timeout=60)) as data:
            runs = data.execute("select run_id, state from dag_run order by id").fetchall()
            tasks = data.execute("select run_id, task_id, state from task_instance").fetchall()
        return [(state, {task: how for of, task, how in tasks if of == run}) for run, state in runs]

    @contextlib.contextmanager
    def _started(self, name: str) -> Iterator[None]:
        with (self.home / f"{name}.log").open("w") as log:
            words = [str(self.bin / "airflow"), name]
            process = subprocess.Popen(words, env=self.variables, stdout=log, stderr=log, start_new_session=True)
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    process.wait()

    def _run(self, *words: str) -> str:
        done = subprocess.run(words, env=self.variables, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def install(folder: Path) -> Path:
    """An environment with the versions of `requirements.txt`, or the one that SEQ2SEQ_AIRFLOW names; its `bin`."""
    given = os.environ.get("SEQ2SEQ_AIRFLOW")
    if given:
        return Path(given) / "bin"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    requirements = SCHEDULES / "airflow" / "requirements.txt"
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "-r", requirements], check=True)
    return folder / "bin"


def settings(bin_: Path, home: Path) -> dict[str, str]:
    """The variables of an installation that nobody else sees."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return {
        "PATH": f"{bin_}:/usr/bin:/bin",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": _KEY,
        "AIRFLOW__API_AUTH__JWT_SECRET": _KEY,
    }


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("localhost", port)) == 0
