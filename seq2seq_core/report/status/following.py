"""What is said of a job in, the same with what waits in the landing zones that it follows, out."""

from __future__ import annotations

import dataclasses
import datetime as dt

from seq2seq_core.landing.ledger import read_lag
from seq2seq_core.progress import Lag, Progress
from seq2seq_core.report.status.terms import Status

_FOLLOWING = Progress("following", "", 0, 0, "files", 0, 0, 0, 0.0)


def with_lag(status: Status, path: str, now: dt.datetime) -> Status:
    """The lag as it was told last below the folder, unless the run says more of it; nothing where nobody follows."""
    told = read_lag(path)
    progress = status.progress or _FOLLOWING
    if told is None or progress.lag is not None:
        return status
    waits = 0.0 if told.oldest is None else max(0.0, now.timestamp() - told.oldest)
    lag = Lag(told.files, told.rows, waits)
    return dataclasses.replace(status, progress=dataclasses.replace(progress, lag=lag))
