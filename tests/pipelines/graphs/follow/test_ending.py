"""A job whose source has ended is left to end, or ended; an error of it is one, unless it was ended."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from pipelines.graphs.follow import ending
from pipelines.graphs.follow.ending import Ending
from seq2seq_core.landing.ledger import forget_end, has_ended, tell_end


class Job:
    """One that goes on until it is cancelled, and says then that it failed."""

    def __init__(self) -> None:
        self._is_cancelled = threading.Event()

    def wait_until_finish(self) -> None:
        assert self._is_cancelled.wait(10)
        raise RuntimeError("failed in state CANCELLED")

    def cancel(self) -> None:
        self._is_cancelled.set()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(ending, "_PATIENCE_SECONDS", 0.01)


def test_a_job_that_goes_on_behind_its_source_is_cancelled(tmp_path: Path) -> None:
    tell_end(str(tmp_path))
    job: Any = Job()
    assert Ending(str(tmp_path)).wait(job)


def test_what_somebody_else_cancels_is_an_error(tmp_path: Path) -> None:
    tell_end(str(tmp_path))
    forget_end(str(tmp_path))
    assert not has_ended(str(tmp_path))
    job: Any = Job()
    job.cancel()
    with pytest.raises(RuntimeError, match="CANCELLED"):
        Ending(str(tmp_path)).wait(job)
