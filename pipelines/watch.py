"""The output folder of a running translation in, a progress bar on a terminal or log lines elsewhere out."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Protocol

import tqdm

from seq2seq_core.errors import StorageError
from seq2seq_core.inference.progress import Progress, Watch, clear_plan

_LOOK_SECONDS, _LOG_SECONDS = 1.0, 30.0
_MOST_OF_THE_TIME = 20
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def watching(root: str) -> Iterator[None]:
    """Show the progress while the block runs.

    It is read from the finished units on storage, so it is the same on every runner.
    """
    clear_plan(root)
    stop = threading.Event()
    show = _Bar() if sys.stderr.isatty() else _LogLines()
    thread = threading.Thread(target=_follow, args=(Watch(root), stop, show), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Display(Protocol):
    def show(self, progress: Progress, *, last: bool) -> None: ...

    def close(self) -> None: ...


class _Bar:
    """A progress bar on the terminal."""

    def __init__(self) -> None:
        self._bar = tqdm.tqdm(unit=" records", file=sys.stderr)

    def show(self, progress: Progress, *, last: bool) -> None:
        del last
        bar = self._bar
        bar.total, bar.initial = progress.records, progress.records_before
        bar.set_postfix_str(f"units {progress.units_done}/{progress.units}", refresh=False)
        bar.update(progress.records_done - bar.n)

    def close(self) -> None:
        self._bar.close()


class _LogLines:
    """A log line now and then, and one at the end."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LOG_SECONDS

    def show(self, progress: Progress, *, last: bool) -> None:
        if last or time.monotonic() >= self._next:
            _log.info("%s", progress)
            self._next = time.monotonic() + _LOG_SECONDS

    def close(self) -> None:
        pass


def _follow(watch: Watch, stop: threading.Event, display: _Display) -> None:
    """Look until stopped, and once more then; looking takes at most a small part of the time."""
    pause, last = _LOOK_SECONDS, False
    while not last:
        last = stop.wait(pause)
        began = time.monotonic()
        with _patience():
            progress = watch.look(began)
            if progress is not None:
                display.show(progress, last=last)
        pause = max(_LOOK_SECONDS, _MOST_OF_THE_TIME * (time.monotonic() - began))
    display.close()


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """A look that fails says nothing about the work: the next one may not."""
    try:
        yield
    except (OSError, ValueError, StorageError) as error:
        _log.debug("the progress cannot be read now: %s", error)
