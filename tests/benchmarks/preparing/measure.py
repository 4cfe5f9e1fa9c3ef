"""A command in; the seconds it took, its processor seconds and the peak memory of it and its children out (Linux)."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.5  # looking costs, too


@dataclass(frozen=True)
class Measured:
    """What one run of a command cost.

    Attributes:
        seconds: From start to end.
        processor_seconds: Of it and all its children, in user and system mode, those that nobody waits for included.
        peak_bytes: The most memory all of them held at one time; mapped files count once, as in the one with most.
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
        watch = _Watch(process.pid)
        output, messages = process.communicate()
        seconds = time.monotonic() - begin
        watch.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ...: {messages[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Measured(seconds, max(used, watch.processor_seconds), watch.peak_bytes, output)


class _Watch:
    """Looks at a process and its children now and then, until stopped."""

    def __init__(self, root: int) -> None:
        self.peak_bytes = 0
        self._seconds: dict[int, float] = {}
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def processor_seconds(self) -> float:
        """What all processes had used when they were last seen."""
        return sum(self._seconds.values())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            family = _family(self._root)
            self._seconds |= family
            self.peak_bytes = max(self.peak_bytes, _held(family))


def _family(root: int) -> dict[int, float]:
    """A process and all that come from it, with the processor seconds of each."""
    parents, seconds = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            seconds[int(entry.name)] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    family = [root]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return {member: seconds[member] for member in family if member in seconds}


def _held(family: Iterable[int]) -> int:
    """Bytes of memory, from counters: to walk through the pages of a process would stop it meanwhile."""
    own, mapped = 0, 0
    for process in family:
        with contextlib.suppress(OSError):
            _, resident, files = map(int, Path(f"/proc/{process}/statm").read_text().split()[:3])
            own, mapped = own + resident - files, max(mapped, files)
    return (own + mapped) * resource.getpagesize()
