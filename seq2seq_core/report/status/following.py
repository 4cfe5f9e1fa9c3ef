"""What is said of a job in, the same with what waits in the landing zones that it follows, out."""

from __future__ import annotations

import dataclasses
import datetime as dt

from seq2seq_core.landing.ledger import read_lag
from seq2seq_core.landing.watch import FOLLOWING, lag_of
from seq2seq_core.report.status.terms import Status


def with_lag(status: Status, path: str, now: dt.datetime) -> Status:
    """The lag as it was told last below the folder, unless the run says more of it; nothing where nobody follows."""
    told = read_lag(path)
    progress = status.progress or FOLLOWING
    if told is None or progress.lag is not None:
        return status
    lag = lag_of(told, now.timestamp())
    return dataclasses.replace(status, progress=dataclasses.replace(progress, lag=lag))
