"""A function and its arguments in, what it returns out: from a process beside this one, where a run has started some.

Threads, as Beam's local runner has them, would wait for one another: Python lets one of them go on at a time, and hands
over at every call of NumPy or Arrow, thousands of times a second.
"""

from __future__ import annotations

import contextlib
import ctypes
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

import pyarrow as pa

from seq2seq_core.errors import Seq2SeqError

R = TypeVar("R")

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _KEPT_BYTES = -1, -3, 1 << 30  # see mallopt(3)

_started: list[LocalWorkers] = []


def begin(name: str, function: Callable[..., R], *arguments: Any) -> Future[R]:
    """Have a function of a module done, once for every name; without workers it is done when this returns."""
    if _started:
        return _started[-1].begin(name, function, *arguments)
    done: Future[R] = Future()
    done.set_result(function(*arguments))
    return done


def result(begun: Future[R]) -> R:
    """What the function returns, when it has.

    Raises:
        Seq2SeqError: The process died. What the function raises comes as it is.
    """
    try:
        return begun.result()
    except BrokenProcessPool:
        advice = "Most often memory ran out: do with one worker (-- --direct_num_workers=1)."
        raise Seq2SeqError("a worker process died before its work was done", advice=advice) from None


def are_started() -> bool:
    """Whether there are workers."""
    return bool(_started)


def can_start() -> bool:
    """Whether this process can be forked safely: not beside threads, which clients of object stores have."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextlib.contextmanager
def started(count: int) -> Iterator[LocalWorkers]:
    """So many processes, which `begin` uses while the block runs; an error in it ends them at once."""
    workers = LocalWorkers(count)
    _started.append(workers)
    try:
        yield workers
    except BaseException:
        workers.kill()
        raise
    else:
        workers.end()
    finally:
        _started.remove(workers)


class LocalWorkers:
    """Processes that have imported what this one has. They end with it, however it ends."""

    def __init__(self, count: int) -> None:
        gc.freeze()  # a process that looked for garbage in what it has from this one would copy it all
        context = multiprocessing.get_context("fork")
        messages: multiprocessing.Queue[logging.LogRecord] = context.Queue()
        others = multiprocessing.active_children()
        self._pool = ProcessPoolExecutor(count, context, _begin_process, (messages,))
        with _no_interrupt():
            self._pool.submit(os.getpid)  # starts them all, before there are threads
        self._processes = [child for child in multiprocessing.active_children() if child not in others]
        self._messages = _Messages(messages)
        self._messages.start()
        self._begun: dict[str, Future[Any]] = {}
        self._lock = threading.Lock()

    def begin(self, name: str, function: Callable[..., R], *arguments: Any) -> Future[R]:
        """Have something done, unless it has been begun under this name."""
        with self._lock:
            if name not in self._begun:
                try:
                    self._begun[name] = self._pool.submit(function, *arguments)
                except BrokenProcessPool as broken:
                    self._begun[name] = Future()
                    self._begun[name].set_exception(broken)
            return self._begun[name]

    def end(self) -> None:
        """Wait until they have ended, and said what they had to say."""
        self._pool.shutdown()
        self._messages.stop()

    def kill(self) -> None:
        """End them whatever they do, and wait for nothing: what they were about to say may never come."""
        for process in self._processes:
            process.kill()
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Messages(logging.handlers.QueueListener):
    """Tells of what workers log as if it were logged here, above a progress bar that may be there."""

    def handle(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).handle(record)


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes that are started here never hear of an interrupt: the one that starts them decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_process(messages: multiprocessing.Queue[logging.LogRecord]) -> None:
    _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger().handlers = [logging.handlers.QueueHandler(messages)]


def _keep_memory() -> None:
    """Use again what has been used: asking the kernel for it every time takes as long as some rules (measured)."""
    pa.set_memory_pool(pa.system_memory_pool())
    with contextlib.suppress(AttributeError):  # glibc alone has it
        set_option = ctypes.CDLL(None).mallopt
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            set_option(option, _KEPT_BYTES)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
