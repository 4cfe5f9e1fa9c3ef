from __future__ import annotations

import contextlib
import datetime as dt
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seq2seq_core import claims, storage
from seq2seq_core.claims import Claim, Holder, Place, held, this_process
from seq2seq_core.errors import ClaimError
from seq2seq_core.progress import Lag, Progress
from tests.processes import running

HOLD = """
import sys, time
from seq2seq_core.claims import held
with held(sys.argv[1], sys.argv[2], "training"):
    print("held", flush=True)
    time.sleep(120)
"""


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    url = str(tmp_path / "run") if request.param == "local" else f"memory://claims/{tmp_path.name}"
    yield url
    storage.remove(url)


@contextlib.contextmanager
def dead(folder: str, fingerprint: str) -> Iterator[Holder]:
    """A claim whose process has ended without clearing up."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    holder = this_process().model_copy(update={"run": "dead", "process": ended.pid})
    place = Place(storage.join(folder, ".claim"))
    place.note(holder, fingerprint)
    place.create(Claim(work="training", fingerprint=fingerprint))
    yield holder


def test_a_folder_is_held_and_given_back(folder: str) -> None:
    with held(folder, "a", "training") as claim:
        claim.check()
        assert len(storage.files_below(folder)) == 2
    assert storage.files_below(folder) == []


def test_another_run_is_refused_with_both_fingerprints_and_who_is_at_work(folder: str) -> None:
    with held(folder, "aaa", "training") as claim:
        for _ in range(2):
            with pytest.raises(ClaimError) as refused, held(folder, "bbb", "translation"):
                pytest.fail("held twice")
            message = str(refused.value)
            assert f"process {os.getpid()} on {this_process().host} since " in message
            assert all(word in message for word in ("another training", "fingerprint aaa", "expected fingerprint bbb"))
        claim.check()
    assert storage.files_below(folder) == []


def test_equal_runs_share_a_folder_and_the_first_to_end_leaves_it_to_the_other(folder: str) -> None:
    with held(folder, "a", "training"):
        with contextlib.suppress(KeyboardInterrupt), held(folder, "a", "training"):
            raise KeyboardInterrupt
        with pytest.raises(ClaimError), held(folder, "b", "training"):
            pytest.fail("taken from a living run")
    with held(folder, "b", "training"):
        pass


def test_the_claim_of_a_dead_run_is_taken_over(folder: str) -> None:
    with dead(folder, "a"), held(folder, "b", "training") as claim:
        claim.check()
        assert not any(".dead." in name for name in storage.files_below(folder))
    assert storage.files_below(folder) == []


def test_a_run_that_goes_on_for_a_dead_one_leaves_nothing_of_it(folder: str) -> None:
    with dead(folder, "a") as holder, held(folder, "a", "training"):
        killed_before_it_claimed = holder.model_copy(update={"run": "early"})
        Place(storage.join(folder, ".claim")).note(killed_before_it_claimed, "b")
    assert storage.files_below(folder) == []


def test_of_many_runs_that_find_a_dead_claim_one_takes_it(folder: str) -> None:
    won, lost, barrier = [], [], threading.Barrier(6)

    def take(name: str) -> None:
        barrier.wait()
        try:
            with held(folder, name, "training") as claim:
                won.append(name)
                while len(won) + len(lost) < 6:  # who comes when it is free again may have it
                    time.sleep(0.01)
                claim.check()
        except ClaimError:
            lost.append(name)

    with dead(folder, "z"):
        threads = [threading.Thread(target=take, args=(name,)) for name in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1


def test_a_run_whose_claim_was_taken_over_is_told(folder: str) -> None:
    with held(folder, "a", "training") as claim:
        storage.remove(storage.join(folder, ".claim/claim.json"))
        claim.check()  # nobody has taken it
        storage.remove(storage.join(folder, ".claim/claim.json"))
        Place(storage.join(folder, ".claim")).create(Claim(work="translation", fingerprint="b"))
        with pytest.raises(ClaimError, match="another translation is under way here; found fingerprint b"):
            claim.check()
    assert storage.exists(storage.join(folder, ".claim/claim.json"))  # it is not ours


@pytest.mark.parametrize(("silent", "lives"), [(0, True), (claims.SILENT_SECONDS + 60, False)])
def test_runs_of_other_machines_are_known_by_their_signs_of_life(
    folder: str, monkeypatch: pytest.MonkeyPatch, silent: int, lives: bool
) -> None:
    holder = this_process().model_copy(update={"run": "far", "host": "elsewhere", "machine": "elsewhere"})
    place = Place(storage.join(folder, ".claim"))
    now = claims._now()
    monkeypatch.setattr(claims, "_now", lambda: now - dt.timedelta(seconds=silent))
    place.note(holder, "a")
    place.create(Claim(work="training", fingerprint="a"))
    monkeypatch.setattr(claims, "_now", lambda: now)
    if lives:
        with pytest.raises(ClaimError, match="on elsewhere"), held(folder, "b", "training"):
            pytest.fail("taken from a living run")
    else:
        with held(folder, "b", "training"):
            pass


def test_a_process_that_has_the_number_of_a_dead_one_is_not_it() -> None:
    holder = this_process()
    assert holder.is_alive
    assert not holder.model_copy(update={"started": holder.started - 3600}).is_alive


def test_signs_of_life_go_on(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_BEAT_SECONDS", 0.05)
    with held(folder, "a", "training"):
        place = Place(storage.join(folder, ".claim"))
        first = place.holders("a")[0].seen
        deadline = time.monotonic() + 20
        while place.holders("a")[0].seen == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert place.holders("a")[0].seen > first
        assert place.holders("a")[0].since <= first


def test_how_far_a_run_is_stands_beside_its_claim_at_once_when_a_phase_begins(folder: str) -> None:
    home, deadline = storage.join(folder, ".claim"), time.monotonic() + 20
    with held(folder, "a", "training") as claim:
        assert [note.progress for note in claims.standing(home)["training"]] == [None]
        for phase in ("reading", "writing"):
            told = Progress(phase, "units", 1, 2, "rows", 10, 20, 0, 4.0, failed=1, lag=Lag(2, 5, 1.5))
            claim.tell(told)
            while claims.standing(home)["training"][0].progress != told and time.monotonic() < deadline:
                time.sleep(0.02)
            assert claims.standing(home)["training"][0].progress == told
    assert claims.standing(home) == {}


def test_what_stands_is_told_by_work_with_dead_runs_and_those_that_have_no_claim_yet(folder: str) -> None:
    home = storage.join(folder, ".claim")
    with dead(folder, "a") as holder:
        Place(home, "claim-00001.json").note(this_process(), "b")
        found = claims.standing(home)
        assert [(note.holder.run, note.holder.is_alive) for note in found["training"]] == [(holder.run, False)]
        assert [note.holder.is_alive for note in found[""]] == [True]


def test_processes_that_are_killed_hold_nothing(tmp_path: Path) -> None:
    folder, log = str(tmp_path / "run"), tmp_path / "log"
    with running([sys.executable, "-c", HOLD, folder, "a"], log) as process:
        process.await_(lambda: "held" in process.output, "the claim")
        with pytest.raises(ClaimError), held(folder, "b", "training"):
            pytest.fail("taken from a living run")
        process.kill()
        with held(folder, "b", "training"):
            pass


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
def test_a_note_that_a_loss_of_power_has_damaged_is_that_of_a_dead_run(folder: str, damage: bytes) -> None:
    """Notes are not waited for until they are durable, so nobody may have to clear them up by hand."""
    with dead(folder, "a"):
        storage.publish_bytes(storage.join(folder, ".claim/claim.dead.json"), damage)
        with held(folder, "b", "training"):
            pass
    assert storage.files_below(folder) == []


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff"])
def test_a_damaged_claim_is_named(folder: str, damage: bytes) -> None:
    storage.publish_bytes(storage.join(folder, ".claim/claim.json"), damage)
    with pytest.raises(ClaimError, match=r"claim\.json: the claim of a run is damaged"), held(folder, "a", "training"):
        pytest.fail("held")


@pytest.mark.parametrize("hidden", ["boot_id", "pid"])
def test_machines_without_proc_have_names_too(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    exists: Callable[[Path], bool] = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name != hidden and exists(path))
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    claims._machine.cache_clear()
    try:
        assert this_process().is_alive
    finally:
        claims._machine.cache_clear()
