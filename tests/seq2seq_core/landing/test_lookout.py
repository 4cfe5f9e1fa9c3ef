"""Looks at landing zones: what is taken, what is noted in the ledger, and what ends the looking."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.landing import lookout as module
from seq2seq_core.landing.config import LandingConfig
from seq2seq_core.landing.ledger import Ledger, history, read_lag
from seq2seq_core.landing.lookout import Batches, Lookout, digest_of, record_of
from seq2seq_core.landing.planner import Pace
from seq2seq_core.landing.terms import BatchRecord, Landed
from seq2seq_core.landing.zone import Zone


class Place:
    """A folder that is looked at."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.folder, self.output = root / "in", root / "out"
        self.folder.mkdir()
        self.ledger = Ledger(str(self.output))
        self.lookout = self.another(**settings)

    def another(self, **settings: object) -> Lookout:
        config = LandingConfig.model_validate(settings)
        return Lookout([Zone(((str(self.folder),),), config.unfinished)], config, self.ledger)

    def names(self, now: float) -> list[str]:
        return [landed.below for landed in self.lookout.look(now)]

    def take(self, landed: list[Landed]) -> None:
        self.ledger.add([record_of(one, 0.0, digest=digest_of(one)) for one in landed])


def test_files_settle(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (place.folder / "a.tsv").write_text("a")
    assert [place.names(now) for now in (0.0, 4.9, 5.0)] == [[], [], ["a.tsv"]]
    assert place.lookout.waiting == 1
    place.take(place.lookout.look(6.0))
    assert place.names(7.0) == []
    assert place.lookout.waiting == 0


def test_renamed_files_are_taken_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path, whole="renamed")
    for name in ("a.tsv.part", ".a.tsv", "b.tsv"):
        (place.folder / name).write_text("a")
    assert place.names(0.0) == ["b.tsv"]


@pytest.mark.parametrize(("marker", "name"), [("{name}.done", "a.tsv.done"), ("_SUCCESS", "_SUCCESS")])
def test_marked_files_wait_for_their_marker(tmp_path: Path, marker: str, name: str) -> None:
    place = Place(tmp_path, whole="marked", marker=marker, unfinished=["*.done"])
    (place.folder / "a.tsv").write_text("a")
    assert place.names(0.0) == []
    (place.folder / name).write_text("")
    assert place.names(1.0) == ["a.tsv"]


def test_a_marker_says_nothing_of_what_is_written_over_a_file(tmp_path: Path) -> None:
    place = Place(tmp_path, whole="marked", unfinished=["*.done"], settle_seconds=2)
    for name in ("a.tsv", "a.tsv.done"):
        (place.folder / name).write_text("a")
    place.take(place.lookout.look(0.0))
    (place.folder / "a.tsv").write_text("other")
    assert [place.names(now) for now in (1.0, 2.0, 3.0)] == [[], [], ["a.tsv"]]


def test_other_content_is_taken_or_an_error_and_another_time_is_neither(tmp_path: Path) -> None:
    place = Place(tmp_path, settle_seconds=0)
    file = place.folder / "a.tsv"
    file.write_text("a")
    place.take(place.lookout.look(0.0))
    file.unlink()
    file.write_text("a")
    assert place.names(1.0) == []
    file.write_text("b")
    assert place.names(2.0) == ["a.tsv"]
    with pytest.raises(InputError, match="has other content now"):
        place.another(settle_seconds=0, changed="error").look(3.0)


def test_what_has_gone_is_in_the_ledger_and_may_come_back(tmp_path: Path) -> None:
    place = Place(tmp_path, settle_seconds=0)
    file = place.folder / "a.tsv"
    file.write_text("a")
    place.take(place.lookout.look(0.0))
    file.unlink()
    assert place.names(1.0) == []
    assert [(one.key, one.state) for one in history(str(place.output))] == [(str(file), "gone")]
    file.write_text("a")
    assert place.names(2.0) == ["a.tsv"]


def test_a_zone_that_cannot_be_read_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, settle_seconds=0, patience_seconds=10)
    (place.folder / "a.tsv").write_text("a")
    place.take(place.lookout.look(0.0))
    with monkeypatch.context() as patch:

        def fail(zone: Zone, index: int) -> list[object]:
            raise StorageError("the store does not answer")

        patch.setattr(module.Zone, "look", fail)
        assert place.names(1.0) == place.names(10.9) == []
        with pytest.raises(StorageError, match="does not answer"):
            place.names(11.0)
    assert place.names(12.0) == []
    assert [one.state for one in history(str(place.output))] == ["taken"]  # nothing was taken for gone


def test_files_that_changed_meanwhile_are_waited_for_anew(tmp_path: Path) -> None:
    place = Place(tmp_path, settle_seconds=0)
    for name in ("a.tsv", "b.tsv", "c.tsv"):
        (place.folder / name).write_text(name)
    found = place.lookout.look(0.0)
    (place.folder / "a.tsv").write_text("longer than it was")
    (place.folder / "b.tsv").unlink()
    assert [one.below for one in place.lookout.unchanged(found, 1.0)] == ["c.tsv"]


def test_batches_follow_one_another(tmp_path: Path) -> None:
    place = Place(tmp_path, settle_seconds=0)
    batches = Batches(place.lookout, place.ledger, Pace(10.0))
    assert batches.next(100.0) is None
    (place.folder / "a.tsv").write_text("a")
    first = batches.next(101.0)
    assert first is not None
    assert (first.number, [one.below for one in first.files]) == (1, ["a.tsv"])
    (place.folder / "b.tsv").write_text("b")
    assert batches.next(150.0) == first  # which is still at work, or was left by a killed process
    place.ledger.close(BatchRecord(batch=1, files=1, opened=first.opened), [record_of(first.files[0], 150.0, 1)])
    assert batches.next(110.0) is None
    second = batches.next(111.0)
    assert second is not None
    assert (second.number, [one.below for one in second.files]) == (2, ["b.tsv"])


def test_what_waits_is_told_for_who_watches(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert read_lag(str(place.output)) is None
    (place.folder / "a.tsv").write_text("a" * 1000)
    place.lookout.look(10.0)
    lag = read_lag(str(place.output))
    assert lag is not None
    assert (lag.files, lag.bytes, lag.rows, lag.oldest, lag.at) == (1, 1000, 10, 10.0, 10.0)
    (place.folder / "b.tsv").write_text("b")
    place.lookout.look(11.0)  # too soon
    assert read_lag(str(place.output)) == lag
    place.take(place.lookout.look(16.0))
    place.lookout.look(20.0)
    lag = read_lag(str(place.output))
    assert lag is not None
    assert (lag.files, lag.oldest) == (0, None)
