"""What is set for a whole process, and why: nothing else in this project changes how the interpreter itself behaves."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

_YOUNG_OBJECTS = 500_000
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 1 << 30  # see mallopt(3)


def look_for_garbage_seldom() -> None:
    """Imports make 250,000 objects, which stay: to look for garbage among them again and again takes longer."""
    gc.set_threshold(_YOUNG_OBJECTS)


def never_look_for_garbage_here() -> None:
    """What is in memory stays: a process that ends gives it back whole, and one that is forked would copy it all."""
    gc.freeze()


def keep_memory() -> None:
    """Use again what has been used: asking the kernel for it every time takes as long as some rules (measured)."""
    import pyarrow as pa  # here, as the command line has to be quick where no data is touched

    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(AttributeError):  # glibc alone has it
        set_option = ctypes.CDLL(None).mallopt
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            set_option(option, _KEPT_BYTES)


class TerminatedError(KeyboardInterrupt):
    """SIGTERM, taken as Ctrl-C is: what is begun is ended in order, and what was started beside it too."""


_heard: list[KeyboardInterrupt] = []


def raise_when_stopped() -> None:
    """From now on SIGINT and SIGTERM raise KeyboardInterrupt and `TerminatedError` here, where they were not ignored.

    The second SIGTERM changes nothing: schedulers send it to a process and to its group.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def heard() -> KeyboardInterrupt | None:
    """What a signal has raised here: native libraries make of it an error of theirs if it came amid their work."""
    return _heard[0] if _heard else None


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    fall_silent()
    _raise(KeyboardInterrupt())


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    del frame
    signal.signal(number, signal.SIG_IGN)
    fall_silent()
    _raise(TerminatedError())


def _raise(stopped: KeyboardInterrupt) -> NoReturn:
    _heard.append(stopped)
    raise stopped


def fall_silent() -> None:
    """Tell no more of other threads: what breaks there after the end of the work, breaks because of it."""
    logging.disable()
    threading.excepthook = lambda _: None


def leave(code: int) -> None:
    """End the process at once: threads of the local runner may still be at work, or wait for what never comes.

    What was started for the work, as a job server, is stopped first.
    """
    fall_silent()
    atexit._run_exitfuncs()  # noqa: SLF001 (Python's own end would wait for the threads before it)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
