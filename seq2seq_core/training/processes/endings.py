"""What went wrong in one of several processes in; one telling of it by the process it began in, and exit codes, out.

A process that fails takes its peers with it: their connections break. Its launcher ends them as soon as it sees the
first one end. So those that only lost their peers wait for that, in silence; and those that failed by themselves let
rank 0 go first, as most often all have met the same.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from seq2seq_core import foreign_errors
from seq2seq_core.errors import ConfigError, Seq2SeqError, TrainingError
from seq2seq_core.training.processes.early import heard, say
from seq2seq_core.training.processes.place import Place

EXIT_FAILED, EXIT_USAGE = 1, 2

_COMMAND = "train"

_YIELD_SECONDS, _LOST_SECONDS = 1.0, 5.0
# What the libraries below say: their errors have no type of their own, or one for all that can go wrong with a network.
_LOST = re.compile(r"gloo/|NCCL|Connection (was likely )?(closed|reset)|Broken pipe|Failed to recv|Socket Timeout")


class PeerError(TrainingError):
    """Another process failed, or has left; it is that one that tells why."""


def told_once(place_of: Callable[[], Place], work: Callable[[], int], name: str) -> int:
    """Find a process's place and do its part in a training; its exit code, after `name` told what went wrong."""
    place = Place()
    try:
        place = place_of()
        return work()
    except Exception as error:  # noqa: BLE001 - shown as the interpreter shows it
        shown = _for_all(error, place) if place.size > 1 else error
        ours = foreign_errors.ours(shown, _COMMAND)
        if ours is not None:
            say(f"{name}{f' (rank {place.rank})' if place.size > 1 else ''}: {ours}")
        else:
            sys.excepthook(type(shown), shown, shown.__traceback__)
        return EXIT_USAGE if isinstance(ours, ConfigError) else EXIT_FAILED


def end(code: int) -> NoReturn:
    """End this process; after a failure in a process group, without the interpreter's own end.

    That would wait for whatever the group has under way, and so for peers that wait for this process, or abort the
    process where a thread of the group still needs the interpreter.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it; the interpreter would make that the exit code
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if _in_group():
        os._exit(code)
    sys.exit(code)


def is_loss_of_peers(error: BaseException) -> bool:
    """Whether an error says no more than that the connection to other processes broke."""
    import torch.distributed  # noqa: PLC0415 (it takes long, and has been imported wherever this can be so)

    return isinstance(error, torch.distributed.DistError) or (
        type(error) is RuntimeError and _LOST.search(str(error)) is not None
    )


def shell_code(code: int) -> int:
    """The exit code of a process as shells show it: 128 and the signal's number for one that a signal ended."""
    return code if code >= 0 else 128 - code


def _for_all(error: Exception, place: Place) -> Exception:
    """What there is to tell of the error, after the time in which a launcher ends this process if a peer failed first.

    It may have done so before: the signal was taken for one to stop between two steps then, of which there is none now.
    """
    is_lost = isinstance(error, PeerError) or is_loss_of_peers(error.__cause__ or error)
    if is_lost and heard:
        end(128 + heard[0])
    if not heard:
        time.sleep((_LOST_SECONDS if is_lost else 0) + (_YIELD_SECONDS if place.rank else 0))
    if not is_lost or isinstance(error, Seq2SeqError):
        return error
    return TrainingError(
        "the connection to the other processes is lost",
        where=place.meeting,
        found=str(error).strip().splitlines()[0],
        advice="Look at what the others say. The same command carries on from the newest checkpoint.",
    )


def _in_group() -> bool:
    if "torch" not in sys.modules:
        return False
    import torch.distributed  # noqa: PLC0415 (only where it has been imported)

    return bool(torch.distributed.is_initialized())
