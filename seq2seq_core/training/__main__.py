"""`python -m seq2seq_core.training`, alone or under torchrun: words in, a trained run folder and an exit code out."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import torch.distributed

from seq2seq_core import config as configuration
from seq2seq_core import foreign_errors, terminal
from seq2seq_core.errors import ConfigError
from seq2seq_core.options import take_config_file
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.launch import train_here

USAGE = "usage: [torchrun --nproc-per-node N -m | python -m] seq2seq_core.training [--config FILE] [--key value ...]"


def main(words: list[str]) -> int:
    """The exit code: 0, 1 for a failure, 2 for a wrong configuration, or one of `training.stop`."""
    terminal.make_ready()
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("seq2seq_core").setLevel(logging.INFO)
    if "-h" in words or "--help" in words:
        terminal.say(_help().rstrip())
        return 0
    try:
        config_file, options = take_config_file(words)
        return train_here(config_file, options)
    except Exception as error:
        ours = foreign_errors.ours(error)
        if ours is None:
            raise
        rank = os.environ.get("RANK")
        terminal.complain(f"training{f' (rank {rank})' if rank else ''}: {ours}")
        return 2 if isinstance(ours, ConfigError) else 1


def _help() -> str:
    keys = (
        f"  --{key.name}  ({key.type_name}; {key.default})\n        {key.description}\n"
        for key in configuration.keys(TrainConfig)
    )
    return f"{USAGE}\n\n{''.join(keys)}"


def _end(code: int) -> NoReturn:
    """End this process; after a failure in a process group, without the interpreter's own end.

    That would wait for whatever the group has under way, and so for peers that wait for this process, or abort the
    process where a thread of the group still needs the interpreter.
    """
    if not torch.distributed.is_initialized():
        sys.exit(code)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        exit_code = main(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - shown as the interpreter shows it
        sys.excepthook(type(error), error, error.__traceback__)
        exit_code = 1
    _end(exit_code)
