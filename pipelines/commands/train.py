"""`seq2seq train`: a dataset folder in, a run folder out, by as many processes as are asked for."""

from __future__ import annotations

from pipelines.commands.call import Call
from seq2seq_core.errors import ConfigError
from seq2seq_core.options import take_option

_PROCESSES = "--processes"
_MOST_PROCESSES = 1000


def main(call: Call) -> int:
    """A dataset folder to a run folder."""
    from seq2seq_core.training import launch

    options, processes = _take_processes(call.options)
    return launch.launch(call.config_file, options, processes)


def _take_processes(options: tuple[str, ...]) -> tuple[list[str], int]:
    """Remove `--processes N` from the options: it says how to start, and is no key of the configuration."""
    value, rest = take_option(options, _PROCESSES, "number")
    if value is None:
        return rest, 1
    if not (value.isascii() and value.isdigit() and len(value) < len(str(_MOST_PROCESSES))):
        raise ConfigError(
            f"{_PROCESSES} needs a number", found=value or "nothing", expected=f"1 to {_MOST_PROCESSES - 1:,}"
        )
    return rest, int(value)
