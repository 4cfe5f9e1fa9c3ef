"""A function and its arguments in, what it returns out: from a process beside this one, where a run has started some.

The workers of Beam's local runner are threads. Python lets one of them go on at a time, and hands over at every call of
NumPy or Arrow, thousands of times a second: on two cores that takes a third of the time (measured), on more of them
nearly all. So what takes long is left to processes, and the threads wait for them.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import logging.handlers
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, TypeVar

from seq2seq_core.errors import Seq2SeqError

R = TypeVar("R")

_started: list[LocalWorkers] = []


def call(name: str, function: Callable[..., R], *arguments: Any) -> R:
    """What the function returns; `name` is the work's own (see `LocalWorkers.begin`).

    Raises:
        Seq2SeqError: The process died. What the function raises comes as it is.
    """
    return _started[-1].call(name, function, *arguments) if _started else function(*arguments)


def can_start() -> bool:
    """Whether this process can be forked safely: not beside threads, which clients of object stores have."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextlib.contextmanager
def started(count: int) -> Iterator[LocalWorkers]:
    """So many processes, which `call` uses while the block runs; an error in it ends them at once."""
    workers = LocalWorkers(count)
    _started.append(workers)
    try:
        yield workers
    except BaseException:
        workers.kill()
        raise
    finally:
        _started.remove(workers)
        workers.end()


class LocalWorkers:
    """Processes that have imported what this one has. They end with it, however it ends."""

    def __init__(self, count: int) -> None:
        gc.freeze()  # a process that looked for garbage in what it has from this one would copy it all
        context = multiprocessing.get_context("fork")
        messages: multiprocessing.Queue[logging.LogRecord] = context.Queue()
        others = multiprocessing.active_children()
        self._pool = ProcessPoolExecutor(count, context, _begin_process, (messages,))
        self._pool.submit(os.getpid)  # starts them all, before there are threads
        self._processes = [child for child in multiprocessing.active_children() if child not in others]
        self._messages = _Messages(messages)
        self._messages.start()
        self._begun: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, function: Callable[..., R], *arguments: Any) -> Future[R]:
        """Have something done, unless it has been begun under this name and nobody has called for it yet."""
        with self._lock:
            if name not in self._begun:
                self._begun[name] = self._pool.submit(function, *arguments)
            return self._begun[name]

    def call(self, name: str, function: Callable[..., R], *arguments: Any) -> R:
        """What the function returns, whether or not this was begun before; see `call`."""
        try:
            return self.begin(name, function, *arguments).result()
        except BrokenProcessPool:
            advice = (
                "Most often memory ran out: use fewer workers, as threads of one process "
                "(-- --direct_running_mode=multi_threading --direct_num_workers=1)."
            )
            raise Seq2SeqError("a worker process died before its work was done", advice=advice) from None
        finally:
            with self._lock:
                self._begun.pop(name, None)

    def kill(self) -> None:
        """End them whatever they do."""
        for process in self._processes:
            process.kill()

    def end(self) -> None:
        """Wait until they have ended, and said what they had to say."""
        self._pool.shutdown(cancel_futures=True)
        self._messages.stop()


class _Messages(logging.handlers.QueueListener):
    """Tells of what workers log as if it were logged here, above a progress bar that may be there."""

    def handle(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


def _begin_process(messages: multiprocessing.Queue[logging.LogRecord]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger().handlers = [logging.handlers.QueueHandler(messages)]


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
