"""A stop signal in while training does not listen yet, or no more; a quiet end of the process at once, and a line, out.

Nothing here, nor in what it imports, takes long to import: it stands before everything that does.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from types import FrameType

from seq2seq_core import log_lines

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_WORDS = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}
_CARRIES_ON = "the same command carries on from what is finished"

LAUNCHER, TORCHRUN = "SEQ2SEQ_LAUNCHER", "TORCHELASTIC_RUN_ID"
"""Variables of a process that was started as one of several, by us (its launcher's number) or by torchrun."""
LAUNCHERS = frozenset((LAUNCHER, TORCHRUN))

heard: list[int] = []
"""Stop signals that a training in this process has taken note of, to stop between two steps."""


def end_at_once(name: str, environment: Mapping[str, str]) -> None:
    """From now on SIGTERM and SIGINT end the process: no traceback, whatever is being imported or waited for.

    What listens to them later on, as a training does, takes the place of that for its time. Outside the main thread
    nothing changes.

    Args:
        name: Who says so on standard error.
        environment: The variables of this process. One of several that were started together says nothing: what has
            started them does.
    """

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (the handler's signature)
        if not LAUNCHERS.intersection(environment):
            say(f"{name}: {told(number)}")
        os._exit(128 + number)

    with contextlib.suppress(ValueError):  # there is no other way to tell the main thread that takes no time to import
        for number in STOP_SIGNALS:
            signal.signal(number, end)


@contextlib.contextmanager
def ending_at_once(name: str, environment: Mapping[str, str]) -> Iterator[None]:
    """`end_at_once` inside the block."""
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in STOP_SIGNALS}
    end_at_once(name, environment)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in before.items():
                signal.signal(number, handler)


def told(number: int) -> str:
    """What is said of a process that a stop signal ended."""
    return f"{_WORDS[signal.Signals(number)]}; {_CARRIES_ON}"


def say(line: str) -> None:
    """Write a line to standard error, past all that may be amid writing there; nobody has to read it."""
    with contextlib.suppress(OSError):
        os.write(2, f"{log_lines.line(line)}\n".encode(errors="backslashreplace"))
