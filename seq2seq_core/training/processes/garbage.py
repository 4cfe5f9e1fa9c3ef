"""Steps of training in; Python's collection of garbage between them alone, at the same steps on all processes, out.

By itself it begins whenever enough objects were made: amid a step, on each process at another time, and all wait for
the one that collects.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def collected_between(every_steps: int) -> Iterator[Callable[[int], None]]:
    """In the block garbage is collected where the function that it is given is called after so many steps.

    What is there when it begins is not looked at again before it ends, so that it takes a few milliseconds.
    """
    was_enabled = gc.isenabled()
    gc.freeze()
    gc.disable()

    def between(step: int) -> None:
        if step % every_steps == 0:
            gc.collect()

    try:
        yield between
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
