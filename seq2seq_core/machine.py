"""This machine in; what it gives to a process, on Linux as on macOS, out: cores, and standard streams to rely on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_GPUS = "nvidia[0-9]*"
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def usable_cores() -> int:
    """Cores that this process may run on, at least one."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_gpu() -> bool:
    """Whether there seems to be an NVIDIA GPU, without asking a library that takes its time."""
    return any(Path("/dev").glob(_GPUS))


def open_closed_streams() -> None:
    """Let standard streams that this process was started without (`>&-`) lead nowhere, here and in what it starts.

    Else the next file or connection that is opened gets the stream's number, and whatever foreign code prints.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # where a lower number is closed, too, it has been opened before
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))
