"""`python -m seq2seq_core.training`, alone or under torchrun: words in, a trained run folder and an exit code out.

All that takes time to import is imported when a stop signal ends the process already, without a traceback.
"""

from __future__ import annotations

import os
import sys

from seq2seq_core.training.processes.early import end_at_once

USAGE = "usage: [torchrun --nproc-per-node N -m | python -m] seq2seq_core.training [--config FILE] [--key value ...]"
_NAME = "training"


def main(words: list[str]) -> int:
    """The exit code: 0, 1 for a failure, 2 for a wrong configuration, or one of `training.stop`."""
    from seq2seq_core import terminal
    from seq2seq_core.training.processes.endings import told_once
    from seq2seq_core.training.processes.place import find_place

    terminal.make_ready()
    return told_once(find_place, lambda: _run(words), _NAME)


def _run(words: list[str]) -> int:
    import logging

    from seq2seq_core import logs, terminal
    from seq2seq_core.monitoring import asked
    from seq2seq_core.options import take_config_file
    from seq2seq_core.training.launch import train_here

    words = asked.take(words)
    logs.set_up(logging.WARNING, "seq2seq_core")
    logs.tell_of_mistakes()
    if "-h" in words or "--help" in words:
        terminal.say(_help().rstrip())
        return 0
    return train_here(*take_config_file(words))


def _help() -> str:
    from seq2seq_core import config as configuration
    from seq2seq_core.monitoring import asked
    from seq2seq_core.training.config import TrainConfig

    keys = (
        f"  --{key.name}  ({key.type_name}; {key.default})\n        {key.description}\n"
        for key in configuration.keys(TrainConfig)
    )
    watched = (f"  {name}  ({value})\n        {meaning}\n" for name, value, meaning in asked.USAGE)
    return f"{USAGE}\n\n{''.join([*watched, *keys])}"


def _run_and_end(words: list[str]) -> None:
    end_at_once(_NAME, os.environ)
    from seq2seq_core.training.processes.endings import end

    end(main(words))


if __name__ == "__main__":
    _run_and_end(sys.argv[1:])
