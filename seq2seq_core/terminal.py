"""A process's standard streams in, the same streams out so that no text, and no closed end, breaks what writes to them.

Every command of this project calls `make_ready` first, and prints by `say`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, Any, Literal, cast

from seq2seq_core import log_lines
from seq2seq_core.errors import StorageError
from seq2seq_core.machine import open_closed_streams

Stream = Literal["stdin", "stdout", "stderr"]
_NAMES: dict[Stream, str] = {"stdin": "standard input", "stdout": "standard output", "stderr": "standard error"}

_closed: set[Stream] = set()


class NobodyReadsError(Exception):
    """The reader of standard output has gone: what is left to say has no place."""


def make_ready() -> None:
    """Let standard output and error take every character, escaping what they cannot show, and open closed streams."""
    _closed.update(name for name in _NAMES if getattr(sys, name) is None)
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Print a line at once.

    Raises:
        NobodyReadsError: The reader has gone.
        StorageError: Standard output takes no more.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        raise NobodyReadsError from None
    except OSError as error:
        silence(sys.stdout)
        raise cannot_write(error) from None


def complain(text: str, level: str = "error", **figures: object) -> None:
    """Print a line to standard error, where that takes one; the figures are for those who read JSON there."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{log_lines.line(text, level, figures)}\n")
        sys.stderr.flush()


def binary(name: Literal["stdin", "stdout"]) -> IO[bytes]:
    """The stream for bytes; a StorageError when it was closed from the start."""
    if name in _closed:
        raise StorageError("it is closed", where=_NAMES[name], advice="Give it a file or a pipe.")
    return cast(IO[bytes], getattr(sys, name).buffer)


def cannot_write(error: OSError) -> StorageError:
    """The error of standard output that takes no more."""
    return StorageError("what was found cannot be written", where=_NAMES["stdout"], found=error.strerror or error)


def silence(stream: IO[Any]) -> None:
    """Point a stream elsewhere: the interpreter's last flush would complain of what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
