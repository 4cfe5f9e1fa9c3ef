"""The `seq2seq` command: words in; a call, a printed result and an exit code out.

Exit codes: 0 all is well, 1 the work failed, 2 the call or its configuration is wrong, 3 the work ended but records
were lost or failed, 4 a score misses its bar, 130 interrupted, 141 nobody reads the output, 143 terminated. `train`
adds those of `training.processes.stop`.

An error is one line. What is neither an error of this project nor one of the system or a library is a mistake in the
program, and shows its traceback; with SEQ2SEQ_TRACEBACK=1 in the environment every error does.
"""

from __future__ import annotations

import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.local import switches
from seq2seq_core import foreign_errors, logs, terminal
from seq2seq_core.errors import BelowBarError, ConfigError, IncompleteError, Seq2SeqError

if TYPE_CHECKING:
    from pipelines.commands.call import Command
    from seq2seq_core.options import Key

EXIT_FAILED, EXIT_USAGE, EXIT_INCOMPLETE, EXIT_BELOW_BAR, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
EXIT_BROKEN_PIPE, EXIT_TERMINATED = 141, 143


def main(arguments: Sequence[str] | None = None, *, is_alone: bool = False) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: The words behind the program's name; those of this process where None.
        is_alone: The process is there for this command: stop signals are heard from here on, not a moment earlier, as
            here is where they are told.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if is_alone:
        return _run(words, is_alone=True)
    from seq2seq_core.monitoring import asked

    with asked.for_a_while():
        return _run(words, is_alone=False)


def _run(words: list[str], *, is_alone: bool) -> int:
    try:
        if is_alone:
            switches.raise_when_stopped()
        terminal.make_ready()
        return _dispatch(words, is_alone=is_alone)
    except terminal.NobodyReadsError:
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt as stopped:
        return _say_stopped(stopped, words)
    except Exception as error:
        stopped_by = switches.heard() if is_alone else None
        if stopped_by is not None:
            return _say_stopped(stopped_by, words)
        ours = foreign_errors.ours(error, words[0] if words else None)
        if ours is None:
            raise
        return _complain(ours, error)


def console() -> int:
    """The same as a process of its own: what it leaves in memory goes back whole, not looked through for garbage."""
    terminal.make_ready()
    switches.look_for_garbage_seldom()
    try:
        code = main(is_alone=True)
    except Exception as error:  # noqa: BLE001 - shown as the interpreter shows it, which would then wait for threads
        sys.excepthook(type(error), error, error.__traceback__)
        code = EXIT_FAILED
    switches.never_look_for_garbage_here()
    if code in (EXIT_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED):
        switches.leave(code)
    return code


def _dispatch(words: list[str], *, is_alone: bool) -> int:
    # Here, as Ctrl-C has to find `main` at work before what takes long to import.
    from pipelines.commands.call import read_call
    from pipelines.commands.table import COMMANDS
    from seq2seq_core.monitoring import asked

    words = asked.take(words, serves=not words or words[0] not in COMMANDS or COMMANDS[words[0]].is_watched)
    # Others' messages from ERROR on: Beam warns of much that users can do nothing about.
    logs.set_up(logging.ERROR, "pipelines", "seq2seq_core")
    if is_alone:
        logs.tell_of_mistakes()
    if not words or words[0] in ("-h", "--help", "help"):
        terminal.say(_overview())
        return 0 if words else EXIT_USAGE
    command = COMMANDS.get(words[0])
    if command is None:
        raise ConfigError(f"unknown command {words[0]!r}", expected=f"one of {', '.join(COMMANDS)}")
    before_engine = words[1 : words.index("--")] if "--" in words else words[1:]
    if "-h" in before_engine or "--help" in before_engine:
        terminal.say(_help(command, before_engine))
        return 0
    return command.start(read_call(command, words[1:]))


def _complain(error: Seq2SeqError, cause: Exception) -> int:
    if os.environ.get("SEQ2SEQ_TRACEBACK"):
        terminal.complain("".join(traceback.format_exception(cause)).rstrip())
    told = {name: getattr(error, name) for name in ("problem", "where", "found", "expected", "advice")}
    terminal.complain(f"seq2seq: {error}", error=type(error).__name__, **told)
    if isinstance(error, IncompleteError):
        return EXIT_INCOMPLETE
    if isinstance(error, BelowBarError):
        return EXIT_BELOW_BAR
    return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED


def _say_stopped(stopped: KeyboardInterrupt, words: Sequence[str]) -> int:
    is_terminated = isinstance(stopped, switches.TerminatedError)
    rest = "; the same command carries on from what is finished" if _carries_on(words) else ""
    terminal.complain(f"seq2seq: {'terminated' if is_terminated else 'interrupted'}{rest}")
    return EXIT_TERMINATED if is_terminated else EXIT_INTERRUPTED


def _carries_on(words: Sequence[str]) -> bool:
    from pipelines.commands.table import COMMANDS

    command = COMMANDS.get(words[0]) if words else None
    return command is None or command.goes_on(words[1:])


def _overview() -> str:
    from pipelines.commands.table import COMMANDS

    rows = [f"  {command.name:<10} {command.summary}" for command in COMMANDS.values()]
    return "\n".join(
        [
            "usage: seq2seq COMMAND [--config FILE.yaml] [--key value ...]",
            "",
            *rows,
            "",
            "`seq2seq COMMAND --help` lists every key. Keys stand in a YAML file, on the command line, or both.",
        ]
    )


def _help(command: Command, words: Sequence[str]) -> str:
    """Usage, notes and every key with its type, default and meaning."""
    from seq2seq_core import config as configuration
    from seq2seq_core.monitoring import asked

    lines = [f"usage: {command.usage}", "", textwrap.fill(command.summary, 100)]
    if command.notes:
        lines += ["", command.notes]
    lines += ["", "how it is watched:"]
    for name, value, meaning in asked.USAGE[: 1 + command.is_watched]:
        lines += [f"  {name}  ({value})", f"        {meaning}"]
    lines += ["", "keys:", "  --config FILE", "        a YAML file with any of the keys below; options win over it"]
    for key in configuration.keys(command.keys_of(words)):
        lines.append(f"  --{key.name}  ({key.type_name}; {_default(key)})")
        inside = f"; keys of each, as --{key.name}.0.KEY: {', '.join(key.inside)}" if key.inside else ""
        text = f"{key.description}{inside}"
        lines += textwrap.wrap(text, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join(lines)


def _default(key: Key) -> str:
    return key.default if key.default == "required" else f"default {key.default}"


if __name__ == "__main__":
    sys.exit(console())
