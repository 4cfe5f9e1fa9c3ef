"""A process's standard streams in, the same streams out so that no text, and no closed end, breaks what writes to them.

Every command of this project calls `make_ready` first, and prints by `say`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, Any, Literal, cast

from seq2seq_core.errors import StorageError

Stream = Literal["stdin", "stdout", "stderr"]
_NUMBERS: dict[Stream, int] = {"stdin": 0, "stdout": 1, "stderr": 2}
_NAMES = {"stdin": "standard input", "stdout": "standard output", "stderr": "standard error"}

_closed: set[Stream] = set()


class NobodyReadsError(Exception):
    """The reader of standard output has gone: what is left to say has no place."""


def make_ready() -> None:
    """Let standard output and error take every character, escaping what they cannot show, and open closed streams.

    A stream that is closed when Python starts is None there, and the next file that is opened gets its number: whatever
    a library prints would end in that file. So it leads nowhere instead.
    """
    for name, number in _NUMBERS.items():
        stream = getattr(sys, name)
        if stream is None:
            _closed.add(name)
            setattr(sys, name, _open_nowhere(number))
        elif name != "stdin" and hasattr(stream, "reconfigure"):
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


def complain(text: str) -> None:
    """Print a line to standard error, where that takes one."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
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


def _open_nowhere(number: int) -> IO[str]:
    found = os.open(os.devnull, os.O_RDWR)
    if found != number and not _is_open(number):
        os.dup2(found, number)
        os.close(found)
        found = number
    return os.fdopen(found, "r" if number == 0 else "w", encoding="utf-8", errors="backslashreplace")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
