"""Something to do now and then in, done as often as there is some, out: the loop of commands that follow.

A stop signal ends it wherever it is, as it ends any other command; what was begun is done again by the next start.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Iterator

from pipelines.local.watch import watching
from seq2seq_core import claims, storage
from seq2seq_core.kinds import FOLLOW_FOLDER, Work
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.watch import FollowWatch

_MOST_OF_THE_TIME = 5
_log = logging.getLogger(__name__)


def follow(step: Callable[[float], bool | None], look_seconds: float, idle_seconds: float | None) -> None:
    """Do steps, until nothing has been left to do for so long.

    Args:
        step: Is given the time in seconds of the epoch; whether it has done something, None where it has not but
            something waits.
        look_seconds: A pause after a step that has done nothing; longer where the step itself takes long.
        idle_seconds: Default: go on for ever.
    """
    idle_since: float | None = None
    while True:
        began = time.monotonic()
        has_done = step(time.time())
        ended = time.monotonic()
        if has_done:
            idle_since = None
            continue
        idle_since = None if has_done is None else began if idle_since is None else idle_since
        if idle_since is not None and idle_seconds is not None and ended - idle_since >= idle_seconds:
            return
        time.sleep(max(look_seconds, _MOST_OF_THE_TIME * (ended - began)))


@contextlib.contextmanager
def alone(ledger: Ledger, work: Work, *, is_read: bool = True) -> Iterator[None]:
    """Be the only one that follows into an output folder, while the block runs, and tell how far that is.

    Args:
        ledger: That of the folder.
        work: What is done with what lands.
        is_read: Whether the block itself reads the ledger again and again.

    Raises:
        ClaimError: Another one is at work there.
    """
    folder = ledger.output
    with (
        claims.held(storage.join(folder, FOLLOW_FOLDER), uuid.uuid4().hex, work) as held,
        watching(FollowWatch(ledger, is_read=is_read), held.tell, is_shown=False),
    ):
        ledger.announce(work)
        _log.info("%s: following; Ctrl-C ends it, and the same command goes on", storage.redact(folder))
        yield


@contextlib.contextmanager
def quiet(*rooms: str) -> Iterator[None]:
    """Let rooms tell of nothing but warnings: what is news of one run is none of one of thousands."""
    levels = {room: logging.getLogger(room).level for room in rooms}
    for room in rooms:
        logging.getLogger(room).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for room, level in levels.items():
            logging.getLogger(room).setLevel(level)
