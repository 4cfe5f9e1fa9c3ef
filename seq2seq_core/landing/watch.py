"""A ledger and what was told of the lag in, how far a command is that follows, out: for whoever watches it."""

from __future__ import annotations

import time

from seq2seq_core.landing.ledger import Ledger, read_lag
from seq2seq_core.landing.terms import Lag as Told
from seq2seq_core.progress import Lag, Progress

FOLLOWING = Progress("following", "", 0, 0, "files", 0, 0, 0, 0.0)


class FollowWatch:
    """How many files were handled, how many of them cannot be read, and how many wait; see `progress.Watch`."""

    def __init__(self, ledger: Ledger, *, is_read: bool) -> None:
        """`is_read` says that whoever handles the files reads this ledger again and again; else it is read here."""
        self._ledger, self._is_read = ledger.refresh(), is_read
        self._before, self._began = self._handled, time.monotonic()

    def look(self, now: float) -> Progress:
        """See `progress.Watch`."""
        if not self._is_read:
            self._ledger.refresh()
        told = read_lag(self._ledger.output)
        return Progress(
            phase=FOLLOWING.phase,
            parts=FOLLOWING.parts,
            parts_done=0,
            parts_total=0,
            noun=FOLLOWING.noun,
            done=self._handled,
            total=0,
            before=self._before,
            seconds=now - self._began,
            failed=sum(record.state == "failed" for record in list(self._ledger.files.values())),
            lag=None if told is None else lag_of(told, time.time()),
        )

    @property
    def _handled(self) -> int:
        return len(self._ledger.files) + len(self._ledger.gone)


def lag_of(told: Told, now: float) -> Lag:
    """What waits, as it is at a time in seconds of the epoch."""
    return Lag(told.files, told.rows, 0.0 if told.oldest is None else max(0.0, now - told.oldest))
