"""Parameters of a template in, as Dataflow's launcher passes them; the call of `seq2seq` that describes the job out.

The launcher passes parameters and Beam's options as one list. Those that the command has a key for are its own, and all
others stand after `--`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.cli import main
from pipelines.commands.table import COMMANDS
from seq2seq_core.config import keys

_COMMAND = "--command="
_OF_THE_WORKERS = ("--sdk_location=container", "--no_save_main_session")


def words(given: Sequence[str]) -> list[str]:
    """The words behind `seq2seq`."""
    (command,) = (word.removeprefix(_COMMAND) for word in given if word.startswith(_COMMAND))
    known = {"config", *(key.name for key in keys(COMMANDS[command].keys))}
    ours = [word for word in given if word.removeprefix("--").partition("=")[0] in known]
    engine = [word for word in given if word not in ours and not word.startswith(_COMMAND)]
    return [command, *ours, "--", *engine, *_OF_THE_WORKERS]


if __name__ == "__main__":
    sys.exit(main(words(sys.argv[1:])))
