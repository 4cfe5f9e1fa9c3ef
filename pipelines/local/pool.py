"""A function and the arguments of many calls in, what it returns for each out: from processes beside this one.

Threads would wait for one another: Python lets one of them go on at a time, and hands over at every call of NumPy or
Arrow, thousands of times a second. Where nearly all of a call is the work of a library with threads of its own, though,
several calls in one process share what they have loaded, and a core always has something to do. The processes are
interpreters of their own, so it does not matter what this one has: threads, connections to stores, a script that is no
module. They listen at one address, and whoever is free takes the next call. A `Pool` is no more than that address, and
can be sent to wherever calls are made on this machine.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, wait
from typing import Any, TypeVar

from seq2seq_core.errors import Seq2SeqError

R = TypeVar("R")

_BEGIN = (
    "import sys; sys.path[:] = {path!r}; from pipelines.local import worker; "
    "worker.serve({socket}, {processes}, {in_each}, {preload!r})"
)
_CAN_FORK = sys.platform == "linux"
_MOST_WAITING = 1024
_LONGEST_FOLDER = 80  # an address has at most about a hundred characters

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a call has come to: a value, or the error that was raised, and where it was."""

    value: Any = None
    error: Exception | None = None
    traceback: str = ""


@dataclass(frozen=True)
class Pool:
    """Workers that are processes: where they listen, and how many calls they answer at a time."""

    address: str
    calls: int

    def map(self, function: Callable[..., R], calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """See `Workers`."""
        waiting = enumerate(calls)
        working: dict[Connection, int] = {}
        returned: dict[int, R] = {}
        try:
            for position in itertools.count():
                while position not in returned:
                    for number, arguments in itertools.islice(waiting, self.calls - len(working)):
                        working[self._begin(function, arguments)] = number
                    if not working:
                        return
                    returned |= _await_some(working)
                yield returned.pop(position)
        finally:
            for connection in working:
                connection.close()

    def _begin(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Connection:
        """Make a call; its answer comes over the connection, after what is logged meanwhile."""
        try:
            connection = Client(self.address, family="AF_UNIX")
            connection.send((logger.getEffectiveLevel(), pickle.dumps((function, arguments))))
        except OSError:
            raise _died() from None
        return connection


@contextlib.contextmanager
def started(processes: int, preload: Sequence[str], in_each: int = 1) -> Iterator[Pool]:
    """So many processes while the block runs; this returns before they are ready.

    An error in the block ends them at once, whatever they do. They end with this process, however it ends, and are
    deaf to interrupts of their own: this one decides.

    Args:
        processes: How many.
        preload: Modules that they import, which the calls will need.
        in_each: How many calls each of them answers at a time, in threads.
    """
    with tempfile.TemporaryDirectory(prefix="seq2seq-", dir=_folder()) as folder:
        address = f"{folder}/pool"
        leaders = _start(address, processes, in_each, preload)
        try:
            yield Pool(address, processes * in_each)
        except BaseException:
            for leader in leaders:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(leader.pid, signal.SIGKILL)
            raise
        finally:
            for leader in leaders:
                leader.communicate()  # it ends, and those that it has started, when nothing more can come


def _start(address: str, processes: int, in_each: int, preload: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Start processes; where a process may be forked safely, the first imports for all of them."""
    leaders, each = (1, processes) if _CAN_FORK else (processes, 1)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(_MOST_WAITING)
        number = listening.fileno()
        begin = _BEGIN.format(path=sys.path, socket=number, processes=each, in_each=in_each, preload=tuple(preload))
        command = [sys.executable, "-c", begin]
        alone = {"OMP_NUM_THREADS": "1"} | os.environ  # with a process a core, threads of NumPy's would be too many
        how: dict[str, Any] = {"stdin": subprocess.PIPE, "pass_fds": [number], "process_group": 0, "env": alone}
        return [subprocess.Popen(command, **how) for _ in range(leaders)]  # noqa: S603 (our own command)


def _folder() -> str | None:
    """Where the socket goes: the usual place, unless its name is too long for one."""
    return None if len(tempfile.gettempdir()) < _LONGEST_FOLDER else "/tmp"  # noqa: S108 (the folder in it is private)


def _await_some(working: dict[Connection, int]) -> dict[int, Any]:
    """What has been returned by then, when one of those that work says something; they work no more."""
    returned = {}
    speaking = wait(list(working))
    for connection in [one for one in working if one in speaking]:
        said = _hear(connection)
        if isinstance(said, logging.LogRecord):
            _tell(said)
        else:
            returned[working.pop(connection)] = said.value
            connection.close()
    return returned


def _hear(connection: Connection) -> Any:
    """The next that is said: a log record, or the answer.

    Raises:
        Exception: The answer is an error.
    """
    try:
        said = connection.recv()
    except (EOFError, OSError):
        raise _died() from None
    if isinstance(said, Answer) and said.error is not None:
        said.error.add_note(said.traceback)
        raise said.error
    return said


def _tell(record: logging.LogRecord) -> None:
    """As if it were logged here, above a progress bar that may be there."""
    here = logging.getLogger(record.name)
    if here.isEnabledFor(record.levelno):
        here.handle(record)


def _died() -> Seq2SeqError:
    advice = "Most often memory ran out: do with one worker (-- --direct_num_workers=1)."
    return Seq2SeqError("a worker process died before its work was done", advice=advice)
