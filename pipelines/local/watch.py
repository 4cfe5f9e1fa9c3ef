"""A watch over running work in; what is shown of it out: a bar on a terminal or log lines, metrics, a claim's words."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from seq2seq_core import log_lines
from seq2seq_core.monitoring.serving import serving
from seq2seq_core.progress import Progress, Watch

_LOOK_SECONDS, _LOG_SECONDS = 1.0, 30.0
_MOST_OF_THE_TIME = 20
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def watching(watch: Watch, tell: Callable[[Progress], None], *, is_shown: bool = True) -> Iterator[None]:
    """Show and serve the progress while the block runs, and tell it to the run's claim (`Held.tell`, `Pulse.tell`).

    What has news of its own need not be shown (`is_shown`).

    Watches read it from what stands finished on storage, so it is the same on every runner.
    """
    stop = threading.Event()
    with serving() as board:
        displays: list[_Display] = [_Told(tell), *([_Told(board.tell)] if board else [])]
        if is_shown:
            displays.append(_Bar() if sys.stderr.isatty() and not log_lines.is_json() else _LogLines())
        thread = threading.Thread(target=_follow, args=(watch, stop, displays), name="watch", daemon=True)
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
    """A progress bar on the terminal; log lines pass above it."""

    def __init__(self) -> None:
        self._above = logging_redirect_tqdm()
        self._above.__enter__()
        self._bar = tqdm.tqdm(file=sys.stderr, smoothing=0)

    def show(self, progress: Progress, *, last: bool) -> None:
        del last
        bar = self._bar
        bar.bar_format = None if progress.total else "{desc}{elapsed}"
        bar.unit = f" {progress.noun}"
        bar.set_description(progress.phase, refresh=False)
        bar.set_postfix_str(progress.parts_text, refresh=False)
        bar.n, bar.total, bar.initial = progress.done, progress.total, progress.before
        bar.start_t = time.time() - progress.seconds  # the rate is that of the phase
        bar.last_print_t = time.time()  # else it counts as never shown, and its line is not ended
        bar.refresh()

    def close(self) -> None:
        self._bar.close()
        self._above.__exit__(None, None, None)


class _LogLines:
    """A log line now and then, and one at the end."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _LOG_SECONDS

    def show(self, progress: Progress, *, last: bool) -> None:
        if last or time.monotonic() >= self._next:
            _log.info("%s", progress, extra={log_lines.FIGURES: progress.figures})
            self._next = time.monotonic() + _LOG_SECONDS

    def close(self) -> None:
        pass


class _Told:
    """What others are told who show it in other places."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell

    def show(self, progress: Progress, *, last: bool) -> None:
        del last
        self._tell(progress)

    def close(self) -> None:
        pass


def _follow(watch: Watch, stop: threading.Event, displays: Sequence[_Display]) -> None:
    """Look until stopped, and once more then; looking takes at most a small part of the time."""
    pause, last = _LOOK_SECONDS, False
    while not last:
        last = stop.wait(pause)
        began = time.monotonic()
        with _patience():
            progress = watch.look(began)
            if progress is not None:
                for display in displays:
                    display.show(progress, last=last)
        pause = max(_LOOK_SECONDS, _MOST_OF_THE_TIME * (time.monotonic() - began))
    for display in displays:
        with _patience():
            display.close()


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """A look that fails says nothing about the work, whatever it fails of: the next one may not."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the bar must be closed, and no work ends for it
        _log.debug("the progress cannot be shown now: %s", error)
