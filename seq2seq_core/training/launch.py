"""Words of a call in; training in this process, or in several started as torchrun starts them, and an exit code out."""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.stop import exit_code
from seq2seq_core.training.trainer import train

GRACE_SECONDS = 120


def launch(config_file: str | None, options: Sequence[str], processes: int) -> int:
    """Train here, or with several processes on this machine, and return the exit code that `training.stop` explains.

    A stop signal is passed on to every process; they save and end, or are killed after `GRACE_SECONDS`. For more
    machines there is `torchrun --nnodes`.

    Args:
        config_file: URL of a YAML file, or None.
        options: `--key value` words that win over the file.
        processes: Local processes.

    Raises:
        Seq2SeqError: With one process, whatever `train` raises; several write it to standard error.
    """
    if processes < 1:
        raise ConfigError("too few processes", where="--processes", found=processes, expected="1 or more")
    if processes == 1:
        return train_here(config_file, options)
    _load(config_file, options)  # a wrong configuration is told once, not by every process
    return _start(["--config", config_file, *options] if config_file else list(options), processes)


def train_here(config_file: str | None, options: Sequence[str]) -> int:
    """Train in this process, alone or as one of those torchrun started."""
    if os.environ.get("RANK", "0") != "0":
        logging.getLogger("seq2seq_core").setLevel(logging.WARNING)
    return exit_code(train(_load(config_file, options)).stopped_by)


def _load(config_file: str | None, options: Sequence[str]) -> TrainConfig:
    return configuration.load(TrainConfig, config_file, configuration.parse_overrides(TrainConfig, options))


def _start(words: list[str], processes: int) -> int:
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        signals_to_handle="SIGTERM,SIGINT",
        shutdown_timeout=GRACE_SECONDS,
    )
    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    try:
        elastic_launch(settings, sys.executable)("-m", "seq2seq_core.training", *words)
    except ChildFailedError as error:
        code = int(error.get_first_failure()[1].exitcode)
        return code if code >= 0 else exit_code(-code)
    except SignalException as error:
        return exit_code(signal.Signals(error.sigval))
    return 0
