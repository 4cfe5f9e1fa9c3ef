"""The ledger: what is written is known after any end of the process, and its files stay few."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.errors import DatasetError
from seq2seq_core.landing import ledger as module
from seq2seq_core.landing.ledger import GONE_SECONDS, Ledger, history
from seq2seq_core.landing.terms import Batch, BatchRecord, FileRecord, Landed

_NUMBERS = itertools.count()


def record(name: str, version: str = "1", batch: int = 1, **more: object) -> FileRecord:
    return FileRecord.model_validate({"key": name, "version": version, "batch": batch, **more})


def batch_of(number: int, *names: str) -> Batch:
    files = tuple(Landed(key=n, urls=(n,), below=n, zone=0, bytes=1, version="1", landed=0.0) for n in names)
    return Batch(number=number, opened=1.0, files=files)


def done(number: int, rows: int = 10, files: int = 1) -> BatchRecord:
    return BatchRecord(batch=number, files=files, bytes=1000, rows=rows, opened=float(number))


def test_what_was_written_is_known_to_the_next(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    assert ledger.refresh().versions == {}
    ledger.close(done(1), [record("a"), record("b", reason="damaged", state="failed")])
    ledger.add([record("a", state="gone", at=5.0)])
    other = Ledger(str(tmp_path)).refresh()
    assert other.versions == {"b": "1"}
    assert other.gone["a"].at == 5.0
    assert other.sums.last_batch == 1
    assert other.bytes_a_row == 100.0
    assert [(one.key, one.state) for one in history(str(tmp_path))] == [("a", "gone"), ("b", "failed")]


def test_a_batch_at_work_is_found_again_until_it_is_down(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    batch = batch_of(1, "a")
    ledger.open(batch)
    assert Ledger(str(tmp_path)).opened() == batch
    ledger.close(done(1), [record("a")])
    assert ledger.opened() is None
    ledger.open(batch)  # as a process that was killed between the two steps leaves it
    assert Ledger(str(tmp_path)).opened() is None
    assert storage.list_folder(storage.join(ledger.folder)) == ["ledger"]


def test_a_batch_that_is_done_twice_counts_once(tmp_path: Path) -> None:
    one, other = Ledger(str(tmp_path)).refresh(), Ledger(str(tmp_path)).refresh()
    for ledger in (one, other, one):
        ledger.close(done(1), [record("a")])
    assert Ledger(str(tmp_path)).refresh().sums.rows == 10
    other.add([record("b"), done(1)])
    assert Ledger(str(tmp_path)).refresh().sums.rows == 10


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_STEPS", 8)


@pytest.mark.usefixtures("few_steps")
def test_the_number_of_files_is_bounded_and_nothing_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    late = Ledger(str(tmp_path)).refresh()
    for number in range(1, 60):
        ledger.close(done(number), [record(f"{number % 25}", str(number), number)])
        ledger.fold(0.0)
    assert len(storage.files_below(ledger.folder)) <= 10
    versions = {f"{number % 25}": str(number) for number in range(1, 60)}
    for reader in (ledger, late.refresh(), Ledger(str(tmp_path)).refresh()):
        assert reader.versions == versions
        assert (reader.sums.last_batch, reader.sums.rows) == (59, 590)


@pytest.mark.usefixtures("few_steps")
def test_what_has_gone_is_forgotten_after_some_days(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    for number in range(1, 20):
        ledger.add([record(f"{number}", state="gone", at=float(number))])
    ledger.fold(GONE_SECONDS + 14.0)
    assert sorted(map(int, Ledger(str(tmp_path)).refresh().gone)) == list(range(15, 20))


@pytest.mark.usefixtures("few_steps")
def test_a_fold_that_was_cut_short_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(str(tmp_path))
    for number in range(1, 20):
        ledger.close(done(number), [record(f"{number}")])
    with monkeypatch.context() as patch:
        patch.setattr(storage, "remove", lambda url: pytest.fail("killed"))
        with pytest.raises(pytest.fail.Exception):
            ledger.fold(0.0)
    again = Ledger(str(tmp_path)).refresh()
    assert len(again.versions) == 19
    again.close(done(20), [record("20")])
    assert len(Ledger(str(tmp_path)).refresh().versions) == 20


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.booleans()), max_size=40))
def test_several_writers_lose_nothing(steps: list[tuple[int, str, bool]]) -> None:
    """Each has an old view of the others' steps; the last word about a file is the last written."""
    folder = f"memory://ledgers/{next(_NUMBERS)}"
    ledgers = [Ledger(folder).refresh() for _ in range(3)]
    expected: dict[str, str] = {}
    for number, (writer, name, is_gone) in enumerate(steps):
        ledgers[writer].add([record(name, str(number), state="gone" if is_gone else "taken")])
        expected.pop(name, None)
        if not is_gone:
            expected[name] = str(number)
    assert Ledger(folder).refresh().versions == expected


def test_damage_is_told(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    ledger.add([record("a")])
    (name,) = storage.files_below(ledger.folder)
    storage.publish_text(storage.join(ledger.folder, name), '{"key": 3}\n')
    with pytest.raises(DatasetError, match="the ledger of a landing zone is damaged"):
        Ledger(str(tmp_path)).refresh()
    storage.publish_text(storage.join(ledger.folder, "open.json"), "{")
    with pytest.raises(DatasetError, match=r"open\.json: the ledger"):
        ledger.opened()
