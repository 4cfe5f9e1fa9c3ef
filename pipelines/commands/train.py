"""`seq2seq train`: a dataset folder in, a run folder out, by as many processes as are asked for."""

from __future__ import annotations

from pipelines.commands.call import Call
from seq2seq_core.errors import ConfigError

_PROCESSES = "--processes"
_MOST_PROCESSES = 1000


def main(call: Call) -> int:
    """A dataset folder to a run folder."""
    from seq2seq_core.training import launch

    options, processes = _take_processes(call.options)
    return launch.launch(call.config_file, options, processes)


def _take_processes(options: tuple[str, ...]) -> tuple[list[str], int]:
    """Remove `--processes N` from the options: it says how to start, and is no key of the configuration."""
    words = [part for word in options for part in (word.split("=", 1) if word.startswith(f"{_PROCESSES}=") else [word])]
    if _PROCESSES not in words:
        return words, 1
    if words.count(_PROCESSES) > 1:
        raise ConfigError(f"{_PROCESSES} stands twice")
    at = words.index(_PROCESSES)
    value = words[at + 1] if at + 1 < len(words) else ""
    if not (value.isascii() and value.isdigit() and len(value) < len(str(_MOST_PROCESSES))):
        raise ConfigError(
            f"{_PROCESSES} needs a number", found=value or "nothing", expected=f"1 to {_MOST_PROCESSES - 1:,}"
        )
    return words[:at] + words[at + 2 :], int(value)
