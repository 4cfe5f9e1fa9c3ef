"""A command in; the seconds it took, its processor seconds and the peak memory of it and its children out (Linux)."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """What one run of a command cost.

    Attributes:
        seconds: From start to end.
        processor_seconds: Of it and all its children, in user and system mode.
        peak_bytes: The most memory all of them held at one time; pages they share count once.
        output: What it printed.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int
    output: str


def measure(command: Sequence[str], environment: dict[str, str] | None = None) -> Measured:
    """Run a command to its end; a RuntimeError with the end of its messages when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    ) as process:
        watch = _PeakMemory(process.pid)
        output, messages = process.communicate()
        seconds = time.monotonic() - begin
        peak = watch.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ...: {messages[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Measured(seconds, used, peak, output)


class _PeakMemory:
    """Looks at a process and its children now and then, until stopped."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._peak = max(self._peak, sum(map(_held, _family(self._root))))


def _family(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    family = [root]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _held(process: int) -> int:
    """The proportional set size in bytes; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)
