"""How far following is: what was handled, what failed and what waits, whoever reads the ledger."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from seq2seq_core.landing.ledger import Ledger, publish_lag
from seq2seq_core.landing.terms import FileRecord, Lag
from seq2seq_core.landing.watch import FollowWatch


def test_files_since_it_began_are_counted_and_what_waits_is_told(tmp_path: Path) -> None:
    folder = str(tmp_path)
    Ledger(folder).add([FileRecord(key="a", version="1"), FileRecord(key="b", version="1", state="failed")])
    watch = FollowWatch(Ledger(folder), is_read=False)
    Ledger(folder).add([FileRecord(key="c", version="1"), FileRecord(key="a", version="1", state="gone")])
    found = watch.look(time.monotonic())
    assert (found.before, found.done, found.failed, found.lag) == (2, 3, 1, None)
    publish_lag(folder, Lag(files=4, bytes=400, rows=40, oldest=time.time() - 100, at=time.time()))
    lag = watch.look(time.monotonic()).lag
    assert lag is not None
    assert (lag.files, lag.rows) == (4, 40)
    assert lag.oldest_seconds == pytest.approx(100, abs=30)
    publish_lag(folder, Lag(files=0, bytes=0, rows=0, oldest=None, at=time.time()))
    assert str(watch.look(time.monotonic()).lag) == "nothing waits"


def test_a_ledger_that_its_owner_reads_is_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    watch = FollowWatch(ledger, is_read=True)
    Ledger(str(tmp_path)).add([FileRecord(key="a", version="1")])
    assert watch.look(time.monotonic()).done == 0
    ledger.refresh()
    assert watch.look(time.monotonic()).done == 1
