"""The launcher of this process in; a stop signal to this process, and after some time its end, when that one is gone.

A launcher that ends well, or is stopped, ends its processes; one that is killed cannot. The process that started a
process is another one from then on, on every system, and that is what is looked at.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from seq2seq_core.training.processes.place import Place

GRACE_SECONDS = 120
"""How long processes may take to save and end after a stop signal, before they are killed."""

_LOOK_SECONDS = 0.5

logger = logging.getLogger(__name__)

_followed: set[int] = set()


def follow_launcher(place: Place) -> None:
    """From now on, stop as for SIGTERM when the launcher is gone; without one, nothing changes.

    A process that has not ended `GRACE_SECONDS` later, for one as it waits for a peer that is gone, too, ends hard.
    """
    if place.launcher is not None and os.getpid() not in _followed:
        _followed.add(os.getpid())
        threading.Thread(target=_watch, args=(place.launcher, GRACE_SECONDS), name="launcher", daemon=True).start()


def _watch(launcher: int, grace_seconds: float) -> None:
    while os.getppid() == launcher:
        time.sleep(_LOOK_SECONDS)
    logger.info("the process that started this training is gone: it stops, as for SIGTERM")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    os._exit(128 + signal.SIGTERM)
