"""A socket on which others call in, the answers to their calls out: what a process of a `Pool` does all its life."""

from __future__ import annotations

import contextlib
import importlib
import logging
import logging.handlers
import os
import pickle
import signal
import socket
import threading
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from pipelines.local import switches
from pipelines.local.pool import Answer

_NOBODY = logging.NullHandler()


def serve(listening: int, processes: int, preload: Sequence[str]) -> NoReturn:
    """Answer calls, one after the other, until the process that holds the other end of standard input has ended.

    Args:
        listening: The number of the socket.
        processes: How many are to do this: the others are forked from here, before there is anything else than imports.
        preload: Modules that the calls will need.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    switches.look_for_garbage_seldom()
    for module in preload:
        importlib.import_module(module)
    switches.keep_memory()
    switches.never_look_for_garbage_here()
    for _ in range(processes - 1):
        if not os.fork():
            break
    calls = socket.socket(fileno=listening)
    threading.Thread(target=_end_with_parent, args=(calls.getsockname(),), daemon=True).start()
    while True:
        caller, _ = calls.accept()
        with Connection(caller.detach()) as connection:
            _answer(connection)


class _Teller(logging.handlers.QueueHandler):
    """Tells the caller what is logged meanwhile."""

    def __init__(self, caller: Connection) -> None:
        super().__init__(caller)  # type: ignore[arg-type]  # it is a queue for one who listens

    def enqueue(self, record: logging.LogRecord) -> None:
        """See logging.handlers.QueueHandler."""
        with contextlib.suppress(OSError):
            self.queue.send(record)  # type: ignore[attr-defined]


def _answer(caller: Connection) -> None:
    """Do what is called for, and send what comes of it; nothing when the caller has gone."""
    with contextlib.suppress(OSError, EOFError):
        level, call = caller.recv()
        teller, root = _Teller(caller), logging.getLogger()
        root.setLevel(level)
        root.handlers = [teller]
        answer = _call(call)
        root.handlers = [_NOBODY]
        with _alone(teller):
            caller.send(answer)


@contextlib.contextmanager
def _alone(teller: logging.Handler) -> Iterator[None]:
    """While threads that are still at work must not speak in between."""
    teller.acquire()
    try:
        yield
    finally:
        teller.release()


def _call(call: bytes) -> Answer:
    try:
        function, arguments = pickle.loads(call)  # noqa: S301 (from the process that has started this one)
        return Answer(function(*arguments))
    except Exception as error:  # noqa: BLE001 (the caller raises it)
        where = "".join(traceback.format_exception(error)).rstrip()
        if not _travels(error):
            error = RuntimeError("".join(traceback.format_exception_only(error)).rstrip())
        return Answer(error=error, traceback=where)


def _travels(error: Exception) -> bool:
    """Whether the error comes out as it is on the other side."""
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 (its own)
    except Exception:  # noqa: BLE001 (whatever a foreign class thinks of)
        return False


def _end_with_parent(address: str) -> NoReturn:
    os.read(0, 1)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    with contextlib.suppress(OSError):  # the parent has removed it, unless it was killed
        Path(address).unlink()
        Path(address).parent.rmdir()
    os._exit(0)
