"""Commands in; processes that tests start, wait for, kill and always end out."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from seq2seq_core.dataset.manifest import LOOKS_FOLDER

CLI = (sys.executable, "-m", "pipelines.cli")
_END_SECONDS = 15
_STEP_SECONDS = 0.1


class Process:
    """A command with a process group of its own, whose output goes to a log file."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._name = " ".join(command)
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def number(self) -> int:
        """Of the process, on this machine."""
        return self._process.pid

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def await_(self, is_ready: Callable[[], bool], what: str, seconds: float = 90) -> None:
        """Wait until something is so; the test fails when it is not so in time, or the process ends before."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            if not self.is_running or time.monotonic() > deadline:
                ended = f"ended with {self._process.poll()}" if not self.is_running else f"after {seconds} s"
                pytest.fail(f"{self._name}: {ended}, still waiting: {what}\n{self.output[-4000:]}")
            time.sleep(_STEP_SECONDS)

    def wait(self, seconds: float = 300) -> int:
        """The exit status, once it has ended by itself."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.kill()


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A process that is gone when the block ends."""
    process = Process(command, log, environment)
    try:
        yield process
    finally:
        process.stop()


def seq2seq(*words: str, environment: Mapping[str, str] | None = None) -> None:
    """The command line, as a user runs it; it must succeed."""
    done = subprocess.run(
        [*CLI, *words], capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    assert done.returncode == 0, done.stderr[-6000:]


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but what says how inputs looked when they were read, which is other for new files."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(f"{LOOKS_FOLDER}/")}
