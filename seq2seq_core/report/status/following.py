"""The output of a command that follows landing zones in, what it tells of it, and what waits in them, out."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence

from seq2seq_core.claims import Note
from seq2seq_core.landing.ledger import Ledger, read_lag
from seq2seq_core.landing.watch import FOLLOWING, lag_of
from seq2seq_core.report.status.terms import GOES_ON, Job, Status, every, only_work


def look_at_answers(path: str, notes: Mapping[str, Sequence[Note]], work: str) -> Job:
    """What the folder tells that a command answers landed files into, each in one of its own. See `terms.Look`.

    It is finished when nothing waits that has landed, as long as somebody has looked.
    """
    told, ledger = read_lag(path), Ledger(path).refresh()
    failed = sum(record.state == "failed" for record in ledger.files.values())
    return Job(
        work=only_work(notes, work),
        notes=every(notes),
        is_finished=told is not None and not told.files,
        progress=lambda: dataclasses.replace(FOLLOWING, done=len(ledger.files) + len(ledger.gone), failed=failed),
        done=GOES_ON,
        failed=failed,
    )


def with_lag(status: Status, path: str, now: dt.datetime) -> Status:
    """The lag as it was told last below the folder, unless the run says more of it; nothing where nobody follows."""
    told = read_lag(path)
    progress = status.progress or FOLLOWING
    if told is None or progress.lag is not None:
        return status
    lag = lag_of(told, now.timestamp())
    return dataclasses.replace(status, progress=dataclasses.replace(progress, lag=lag))
