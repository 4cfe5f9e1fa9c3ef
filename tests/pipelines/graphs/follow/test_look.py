"""The unbounded source: what is claimed and handed on, what is left for later, and what Beam keeps of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.utils.timestamp import Duration

from pipelines.graphs.follow import look
from pipelines.graphs.follow.look import Handed, HandedTracker, LookDoFn, Watched
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger
from seq2seq_core.landing.lookout import record_of
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import Batch, BatchRecord
from seq2seq_core.landing.zone import Zone


class Runner:
    """Calls the source again and again, as a runner does; it may forget what came after a checkpoint."""

    def __init__(self, root: Path, idle_seconds: float | None = None) -> None:
        self.folder, output = root / "in", str(root / "out")
        self.folder.mkdir()
        zones = (Zone(((str(self.folder),),)),)
        landing = LandingConfig(settle_seconds=0)
        self.watched = Watched(output, zones, landing, Pace(0.0, files=2), idle_seconds)
        self.ledger = Ledger(output)
        self.position = Handed()

    def land(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(name)

    def call(self) -> list[Batch]:
        """One bundle: what it hands on. Its checkpoint is where the next one begins."""
        tracker = _View(HandedTracker(self.position))
        found = LookDoFn(self.watched).process(b"", tracker)
        batches = [stamped.value for stamped in found]
        tracker.tracker.check_done()
        self.position = tracker.left or Handed(self.position.batch, is_done=True)
        return batches

    def done(self, batch: Batch) -> None:
        records = [record_of(landed, 0.0, batch.number) for landed in batch.files]
        self.ledger.close(BatchRecord(batch=batch.number, files=len(records), opened=batch.opened), records)


class _View:
    """What a source sees of its tracker."""

    def __init__(self, tracker: HandedTracker) -> None:
        self.tracker, self.left = tracker, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tracker, name)

    def defer_remainder(self, after: Duration) -> None:
        split = self.tracker.try_split(0.0)
        assert split is not None
        self.left = split[1]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    clock = iter(range(1_000_000, 2_000_000, 2))
    monkeypatch.setattr(look.time, "time", lambda: float(next(clock)))
    yield Runner(tmp_path, idle_seconds=3.0)
    look._HERE.clear()


def names(batches: list[Batch]) -> list[list[str]]:
    return [[landed.below for landed in batch.files] for batch in batches]


def test_one_batch_is_at_work_at_a_time(runner: Runner) -> None:
    runner.land("a", "b", "c")
    (first,) = runner.call()
    assert names([first]) == [["a", "b"]]
    assert runner.call() == runner.call() == []
    runner.done(first)
    (second,) = runner.call()
    assert names([second]) == [["c"]]


def test_a_bundle_that_is_done_again_hands_on_the_same_batch(runner: Runner) -> None:
    runner.land("a")
    before = runner.position
    (first,) = runner.call()
    runner.land("b")
    runner.position = before
    look._HERE.clear()  # in another process
    assert runner.call() == [first]
    runner.done(first)
    runner.position = before  # what came of it stands, and the runner has forgotten that it was handed on
    (second,) = runner.call()
    assert names([second]) == [["b"]]


def test_a_new_job_begins_with_the_batch_that_was_left(runner: Runner) -> None:
    runner.land("a")
    (left,) = runner.call()
    runner.position = Handed()
    assert runner.call() == [left]


def test_what_beam_keeps_does_not_grow(runner: Runner) -> None:
    coder = look._Provider().restriction_coder()
    sizes = set()
    for number in range(30):
        runner.land(f"{number}-one", f"{number}-other")
        for batch in runner.call():
            runner.done(batch)
        sizes.add(len(coder.encode(runner.position)))
        assert coder.decode(coder.encode(runner.position)) == runner.position
    assert max(sizes) <= 4


def test_it_ends_when_it_has_been_idle_for_long(runner: Runner) -> None:
    runner.land("a")
    (first,) = runner.call()
    for _ in range(5):
        assert runner.call() == []  # the batch is at work
        assert not runner.position.is_done
    runner.done(first)
    for _ in range(4):
        runner.call()
    assert runner.position.is_done


def test_the_tracker_splits_the_future_off_and_nothing_else() -> None:
    tracker = HandedTracker(Handed(3))
    assert tracker.try_split(0.5) is None
    with pytest.raises(ValueError, match="batches after 3 were not claimed"):
        tracker.check_done()
    assert tracker.try_claim(4)
    assert tracker.try_split(0.0) == (Handed(4, True), Handed(4))
    assert tracker.check_done()
    assert not tracker.try_claim(5)
    assert tracker.try_split(0.0) is None
    assert not tracker.is_bounded()
    assert look._Provider().truncate(b"", Handed(3)) is None  # a drained job hands on nothing more
