"""Words of a call in; training in this process, or in several started as torchrun starts them, and an exit code out.

Torch is imported where the work begins, not here: a stop signal has to find the process listening before.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seq2seq_core import config as configuration
from seq2seq_core import storage
from seq2seq_core.errors import ConfigError, Seq2SeqError, TrainingError
from seq2seq_core.training.processes.allocation import keep_freed_memory
from seq2seq_core.training.processes.early import ending_at_once, say, told
from seq2seq_core.training.processes.endings import end, told_once
from seq2seq_core.training.processes.parent import follow_launcher
from seq2seq_core.training.processes.place import find_place, refuse_launching
from seq2seq_core.training.processes.ranks import Ending, run_ranks
from seq2seq_core.training.processes.stop import exit_code

if TYPE_CHECKING:
    from seq2seq_core.training.config import TrainConfig

_NAME = "seq2seq"


def launch(config_file: str | None, options: Sequence[str], processes: int) -> int:
    """Train here, or with several processes on this machine, and return the exit code that `training.stop` explains.

    A stop signal is passed on to every process; they save and end, or are killed after `GRACE_SECONDS`. When one fails,
    its exit code is that of all: 128 and the signal's number where a signal ended it. For more machines there is
    `torchrun --nnodes`.

    Args:
        config_file: URL of a YAML file, or None.
        options: `--key value` words that win over the file.
        processes: Local processes.

    Raises:
        Seq2SeqError: With one process, whatever `train` raises; several write it to standard error.
    """
    if processes < 1:
        raise ConfigError("too few processes", where="--processes", found=processes, expected="1 or more")
    if processes > 1:
        refuse_launching()
    place = find_place()
    with ending_at_once(_NAME, os.environ):
        if processes > 1:
            return _start(config_file, options, processes)
        if place.size == 1:
            return train_here(config_file, options)
        code = told_once(find_place, lambda: train_here(config_file, options), _NAME)
        return end(code)


def train_here(config_file: str | None, options: Sequence[str]) -> int:
    """Train in this process, alone or as one of those torchrun started."""
    place = find_place()
    follow_launcher(place)
    if place.rank:
        logging.getLogger("seq2seq_core").setLevel(logging.WARNING)
    keep_freed_memory()
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else each broken connection is told with its C++ stack
    from seq2seq_core.training.trainer import train

    return exit_code(train(_load(config_file, options)).stopped_by)


def _load(config_file: str | None, options: Sequence[str]) -> TrainConfig:
    from seq2seq_core.training.config import TrainConfig

    return configuration.load(TrainConfig, config_file, configuration.parse_overrides(TrainConfig, options))


def _start(config_file: str | None, options: Sequence[str], processes: int) -> int:
    config = _load(config_file, options)  # a wrong configuration is told once, not by every process
    from seq2seq_core.training.processes.meeting import LOCAL_HOST, opened_store

    store = opened_store()
    words = ["--config", config_file, *options] if config_file else options
    command = [sys.executable, "-m", "seq2seq_core.training", *words]
    ending = run_ranks(command, processes, (LOCAL_HOST, store.port))
    if ending.signal is not None:
        say(f"{_NAME}: {_killed(ending, processes, config.output)}")
    elif ending.rank is None and ending.stopped_by is not None:
        say(f"{_NAME}: {told(ending.stopped_by)}")
    return ending.code


def _killed(ending: Ending, processes: int, output: str) -> TrainingError:
    """What is to be told of a process that a signal ended."""
    try:
        name = signal.Signals(ending.signal or 0).name
    except ValueError:
        name = "of no name"
    reason = "Most often that is the system, out of memory. " if ending.signal == signal.SIGKILL else ""
    return TrainingError(
        "a process was ended by a signal",
        where=f"rank {ending.rank} of {processes}",
        found=f"signal {ending.signal} ({name})",
        advice=f"{reason}The same command {_carries_on(output)}.",
    )


def _carries_on(output: str) -> str:
    from seq2seq_core.training.checkpoints.checkpoint import MARKER_NAME

    root = storage.join(output, "checkpoints")
    try:
        names = [name for name in storage.list_folder(root) if storage.exists(storage.join(root, name, MARKER_NAME))]
    except Seq2SeqError:
        return "carries on from the newest checkpoint"
    steps = [int(name.removeprefix("step-")) for name in names if name.removeprefix("step-").isdecimal()]
    return f"carries on from step {max(steps)}" if steps else "begins again: there is no checkpoint yet"
