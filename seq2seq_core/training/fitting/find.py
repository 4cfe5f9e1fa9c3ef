"""A training in; how large a part of a batch may be that one of its devices computes at once, measured, out.

Nothing is trained, and nothing is written into the run folder. Each size is measured in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from seq2seq_core.errors import TrainingError
from seq2seq_core.machine import has_gpu
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.fitting.search import Measured, search

_PROGRAM = "seq2seq_core.training.fitting.measuring"
_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
"""Where a container says how much memory it may have, and how much it has."""


def find_batch(
    config: TrainConfig, config_file: str | None, options: Sequence[str], processes: int, limit: int | None
) -> Iterator[Measured]:
    """Measure sizes until the largest that fits is known; the last one that `fits` is that.

    Args:
        config: The training.
        config_file: The YAML file that it was read from, or None.
        options: The words that it was read from besides.
        processes: How many of them share the memory of this machine; each has a GPU of its own.
        limit: Bytes that each of them may have; None: what is free.

    Raises:
        TrainingError: The training cannot begin; or not even a small batch fits.
    """
    is_on_cpu = config.device == "cpu" or (config.device == "auto" and not has_gpu())
    most = limit or (free_bytes() // processes if is_on_cpu else 0)
    known: list[Measured] = []

    def measure(tokens: int) -> Measured:
        found = _measured([str(tokens), str(most), config_file or "", *options])
        if found is None and known:  # the system has ended it, which it does where memory runs out
            last = known[-1]
            rows = tokens * last.rows // last.tokens
            found = last.model_copy(update={"tokens": tokens, "rows": rows, "memory": last.limit, "seconds": None})
        if found is None or not (found.fits or known):
            raise _too_small(found)
        known.append(found)
        return found

    yield from search(measure)


def free_bytes() -> int:
    """Memory that a new process may take: of the machine, or of the container that this runs in."""
    free = int(psutil.virtual_memory().available)
    for most, used in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            free = min(free, max(0, int(Path(most).read_text()) - int(Path(used).read_text())))
    return free


def _measured(words: Sequence[str]) -> Measured | None:
    """What the process that measures found; None where the system killed it."""
    variables = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    with subprocess.Popen(  # noqa: S603 (it is this program)
        [sys.executable, "-m", _PROGRAM, *words], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        try:
            data, _ = process.communicate()
        finally:
            process.kill()
    if process.returncode == -signal.SIGKILL:
        return None
    lines = data.splitlines()
    values = json.loads(lines[-1]) if lines else {"error": f"it ended with code {process.returncode}"}
    if "error" in values:
        raise TrainingError("a batch could not be measured", found=values["error"])
    return Measured.model_validate(values)


def _too_small(found: Measured | None) -> TrainingError:
    told = f"{found.memory / 1e9:.2f} GB of {found.limit / 1e9:.2f} GB" if found else "the system ended the process"
    what = f"{found.tokens:,} padded tokens fit" if found else "a small batch fits"
    return TrainingError(
        f"not even {what} into memory",
        where="data.max_source_tokens and data.max_target_tokens",
        found=told,
        advice="Lower them, or take a smaller model, recompute, or precision bfloat16.",
    )
