"""A block in; the same block, in which no stop signal is heard before it ends, out."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from types import FrameType

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_is_waiting: ContextVar[bool] = ContextVar("is_waiting", default=False)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hear of a stop signal when the block has ended.

    What is raised while Beam is imported, Beam may throw away; and so does what calls Python from C, as libsndfile does
    to read a file. A block within such a block changes nothing.
    """
    is_heard_here = threading.current_thread() is threading.main_thread()  # which alone hears of one
    if not is_heard_here or _is_waiting.get():
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    before = ((int(number), signal.getsignal(number)) for number in _STOP_SIGNALS)
    caught = {number: handler for number, handler in before if callable(handler)}
    for number in caught:
        signal.signal(number, lambda number, frame: heard.append((number, frame)))
    outside = _is_waiting.set(True)
    try:
        yield
    finally:
        _is_waiting.reset(outside)
        for number, handler in caught.items():
            signal.signal(number, handler)
        if heard:  # also where the block has failed meanwhile
            caught[heard[0][0]](*heard[0])
