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


def serve(listening: int, processes: int, in_each: int, preload: Sequence[str]) -> NoReturn:
    """Answer calls until the process that holds the other end of standard input has ended.

    Args:
        listening: The number of the socket.
        processes: How many are to do this: the others are forked from here, before there is anything else than imports.
        in_each: How many calls each of them answers at a time; each has a thread, which does one after the other.
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
    teller = _Teller()
    logging.getLogger().handlers = [teller]
    for _ in range(in_each - 1):
        threading.Thread(target=_answer_all, args=(calls, teller), daemon=True).start()
    _answer_all(calls, teller)


class _Teller(logging.handlers.QueueHandler):
    """Tells the caller of a thread what is logged there; threads that a call has started may tell any caller."""

    def __init__(self) -> None:
        self._callers: dict[int, Connection] = {}
        super().__init__(self._callers)  # type: ignore[arg-type]  # there is no one queue

    @contextlib.contextmanager
    def telling(self, caller: Connection) -> Iterator[None]:
        """While the block runs what this thread logs is told to a caller, and nothing afterwards."""
        thread = threading.get_ident()
        self._put(thread, caller)
        try:
            yield
        finally:
            self._put(thread, None)

    def enqueue(self, record: logging.LogRecord) -> None:
        """See logging.handlers.QueueHandler; whoever calls this holds the lock of the handler."""
        caller = self._callers.get(record.thread or 0) or next(iter(self._callers.values()), None)
        if caller is not None:
            with contextlib.suppress(OSError):
                caller.send(record)

    def _put(self, thread: int, caller: Connection | None) -> None:
        self.acquire()
        try:
            self._callers.pop(thread, None)
            if caller is not None:
                self._callers[thread] = caller
        finally:
            self.release()


def _answer_all(calls: socket.socket, teller: _Teller) -> NoReturn:
    while True:
        caller, _ = calls.accept()
        with Connection(caller.detach()) as connection:
            _answer(connection, teller)


def _answer(caller: Connection, teller: _Teller) -> None:
    """Do what is called for, and send what comes of it; nothing when the caller has gone."""
    with contextlib.suppress(OSError, EOFError):
        level, call = caller.recv()
        logging.getLogger().setLevel(level)
        with teller.telling(caller):
            answer = _call(call)
        caller.send(answer)


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
