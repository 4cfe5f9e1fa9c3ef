from __future__ import annotations

import datetime as dt
import json
import os
import time
import typing
from collections.abc import Callable
from typing import Any

import pytest

from seq2seq_core import claims, storage
from seq2seq_core.errors import ClaimError, DatasetError, Seq2SeqError, StorageError
from seq2seq_core.kinds import Kind, Work
from seq2seq_core.landing.ledger import Ledger, publish_lag
from seq2seq_core.landing.terms import FileRecord
from seq2seq_core.landing.terms import Lag as Waits
from seq2seq_core.progress import Lag, Progress
from seq2seq_core.report.status.lines import as_json, line
from seq2seq_core.report.status.table import LOOKS, look_at
from seq2seq_core.report.status.terms import CARRIES_ON

Make = Callable[[Any], object]

WORKS = {"dataset": "preparation", "run": "training", "translation": "translation", "transcription": "transcription"}
FINISHED: dict[str, Make] = {
    "dataset": lambda yard: yard.dataset(),
    "run": lambda yard: yard.run(500, 500, has_ended=True),
    "translation": lambda yard: yard.translation(),
    "transcription": lambda yard: yard.transcription(),
}
BEGUN: dict[str, Make] = {
    "dataset": lambda yard: yard.begun_generation(),
    "run": lambda yard: yard.run(50, 40),
    "translation": lambda yard: yard.planned_translation(1),
    "transcription": lambda yard: yard.planned_transcription(),
}
every_kind = pytest.mark.parametrize("kind", list(WORKS))


def test_there_is_a_line_for_every_folder_that_jobs_work_in() -> None:
    assert set(LOOKS) == set(typing.get_args(Kind)) - {"model"} == set(WORKS)


@every_kind
def test_a_whole_result_is_finished(yard: Any, kind: str) -> None:
    FINISHED[kind](yard)
    status = look_at(yard.url)
    assert (status.kind, status.work, status.state, status.failed) == (kind, WORKS[kind], "finished", 0)
    assert status.progress is not None
    assert status.progress.done == status.progress.total
    assert status.runs == ()


@every_kind
def test_what_is_begun_and_nobody_works_on_is_stopped(yard: Any, kind: str) -> None:
    BEGUN[kind](yard)
    status = look_at(yard.url)
    assert (status.kind, status.work, status.state) == (kind, WORKS[kind], "stopped")
    assert status.advice.startswith("Run the same command again: it carries on from ")


def _claim(yard: Any, kind: str, *, is_dead: bool) -> None:
    place = {"name": "claim-00000.json", "folder": "_work"} if kind == "dataset" else {}
    yard.claim(WORKS[kind], is_dead=is_dead, **place)


@every_kind
@pytest.mark.parametrize("is_begun", [True, False])
def test_a_run_that_shows_itself_is_running_from_its_first_moment_on(yard: Any, kind: str, is_begun: bool) -> None:
    if is_begun:
        BEGUN[kind](yard)
    _claim(yard, kind, is_dead=False)
    status = look_at(yard.url)
    assert (status.kind, status.work, status.state) == (kind, WORKS[kind], "running")
    assert [(run.process, run.is_alive) for run in status.runs] == [(os.getpid(), True)]
    assert 0 <= status.runs[0].seen_seconds < 60


@every_kind
def test_a_run_that_was_killed_is_dead_also_beside_an_earlier_result(yard: Any, kind: str) -> None:
    BEGUN[kind](yard)
    _claim(yard, kind, is_dead=True)
    assert look_at(yard.url).state == "dead"
    FINISHED[kind](yard)
    assert look_at(yard.url).state == "dead"


def test_another_machine_that_is_silent_for_long_is_dead(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = claims._now()
    monkeypatch.setattr(claims, "_machine", lambda: "elsewhere")
    monkeypatch.setattr(claims, "_now", lambda: now - dt.timedelta(seconds=100))
    yard.claim("training", is_dead=False)
    monkeypatch.undo()
    assert look_at(yard.url).state == "running"
    monkeypatch.setattr(claims, "_now", lambda: now + dt.timedelta(seconds=claims.SILENT_SECONDS))
    status = look_at(yard.url)
    assert status.state == "dead"
    assert "is dead, last seen 1:" in line(status)


def test_what_a_run_says_with_its_signs_of_life_is_shown_with_its_lag(yard: Any) -> None:
    yard.planned_translation(1)
    told = Progress("following", "units", 3, 4, "records", 30, 40, 10, 4.0, failed=2, lag=Lag(3, 120, 61.0))
    with claims.held(yard.url, "f", "translation") as held:
        held.tell(told)
        while (status := look_at(yard.url)).progress != told:
            pass
    assert status.failed == 2
    text = line(status)
    assert text.startswith(f"{yard.url}: translation running: following: units 3/4, records 30/40, 5.0 records/s, 0:02")
    assert "2 failed, 3 files, 120 rows wait, the oldest for 1:01; process " in text
    values = json.loads(as_json(status))
    assert values["progress"]["lag"] == {"files": 3, "rows": 120, "oldest_seconds": 61.0}
    assert (values["progress"]["per_second"], values["progress"]["seconds_left"]) == (5.0, 2.0)


@pytest.mark.parametrize(("kind", "work"), [("dataset", "preparation"), ("translation", "translation")])
def test_what_waits_in_landing_zones_is_told_by_the_folder_alone(yard: Any, kind: str, work: Work) -> None:
    with claims.held(f"{yard.url}/.follow", "f", work):
        status = look_at(yard.url)
        assert (status.kind, status.work, status.state, status.progress) == (kind, work, "running", None)
        publish_lag(yard.url, Waits(files=3, bytes=9000, rows=120, oldest=time.time() - 200, at=0.0))
        assert "3 files, 120 rows wait, the oldest for 3:2" in line(look_at(yard.url))
    yard.dataset()
    status = look_at(yard.url)
    assert (status.kind, status.state, status.progress.lag.files) == ("dataset", "finished", 3)
    publish_lag(yard.url, Waits(files=0, bytes=0, rows=0, oldest=None, at=0.0))
    assert "nothing waits" in line(look_at(yard.url))


@pytest.mark.parametrize("work", ["translation", "transcription"])
def test_who_has_followed_into_a_folder_is_known_when_he_has_ended(yard: Any, work: Work) -> None:
    ledger = Ledger(yard.url)
    with claims.held(ledger.folder, "f", work):
        ledger.announce(work)
        assert look_at(yard.url).state == "running"
    assert (look_at(yard.url).kind, look_at(yard.url).state) == (work, "stopped"), "nobody has looked at the zones yet"
    ledger.add([FileRecord(key="a", version="1"), FileRecord(key="b", version="1", state="failed", reason="damaged")])
    publish_lag(yard.url, Waits(files=1, bytes=9, rows=1, oldest=time.time(), at=0.0))
    assert look_at(yard.url).state == "stopped"
    publish_lag(yard.url, Waits(files=0, bytes=0, rows=0, oldest=None, at=0.0))
    status = look_at(yard.url)
    assert (status.state, status.failed, status.progress.done) == ("finished", 1, 2)
    assert "nothing waits" in line(status)


def test_units_and_their_failures_are_counted_where_nobody_says_it(yard: Any) -> None:
    yard.planned_translation(3, failed=4)
    status = look_at(yard.url)
    assert (status.progress.done, status.progress.total, status.progress.parts_done, status.failed) == (30, 40, 3, 4)
    assert line(status) == f"{yard.url}: translation stopped: units 3/4, records 30/40, 4 failed. {CARRIES_ON}"


def test_where_records_have_failed_the_reasons_are_pointed_to(yard: Any) -> None:
    yard.translation(failed=2)
    status = look_at(yard.url)
    assert (status.state, status.failed) == ("finished", 2)
    assert status.advice == f"See {yard.url}/failures for the reasons."


def test_a_generation_that_is_begun_beside_a_dataset_is_no_finished_one(yard: Any) -> None:
    yard.dataset()
    yard.begun_generation(1)
    status = look_at(yard.url)
    assert status.state == "stopped"
    assert status.facts == {"train rows": 80, "valid rows": 5, "duplicates": 10, "rejected": 5, "generations": 1}
    assert (status.progress.phase, status.progress.total) == ("reading and cleaning", 50)


def test_a_training_says_where_it_carries_on(yard: Any) -> None:
    yard.run(70, 40)
    status = look_at(yard.url)
    assert (status.progress.done, status.progress.total) == (70, 500)
    assert status.facts == {"epoch": 1, "loss": 4.5, "saved step": 40, "skipped steps": 2}
    assert status.advice.endswith("it carries on from step 40.")
    yard.run(70, None, most=None)
    storage.remove(storage.join(yard.url, "checkpoints"))
    assert look_at(yard.url).advice.endswith("it begins again, as there is no checkpoint yet.")
    assert look_at(yard.url).progress.total == 0


def test_two_claims_of_one_process_are_one_run(yard: Any) -> None:
    yard.claim("training", is_dead=False)
    yard.claim("training", is_dead=False, folder=".claim/turn/.claim")
    assert len(look_at(yard.url).runs) == 1


@pytest.mark.parametrize(
    ("files", "kind", "problem"),
    [
        ({}, StorageError, "no such file or folder"),
        ({"a.txt": "x"}, DatasetError, r"no folder of this project stands here; found a\.txt"),
        ({".units/plan.json": '{"of": "others"}'}, DatasetError, "no folder of this project stands here"),
        ({"config.yaml": "a: 1", "metrics.jsonl": '{"theirs": 1}\n'}, None, None),
        ({"output.json": "{"}, DatasetError, "the manifest is damaged"),
        ({"dataset.json": "[]"}, DatasetError, "the manifest is damaged"),
        ({".claim/claim.json": "{"}, Seq2SeqError, "no folder of this project"),
        ({"_work/claim-00000.json": "{"}, ClaimError, "the claim of a run is damaged"),
        ({"config.yaml": "a: 1", "checkpoints/step-1/checkpoint.json": "{}"}, Seq2SeqError, "the marker is damaged"),
        ({"config.json": '{"format_version":1,"architecture":1,"weights":1,"lineage":1}'}, DatasetError, "no job's"),
    ],
)
def test_what_is_no_folder_of_a_job_is_one_error(
    yard: Any, files: dict[str, str], kind: type[Exception] | None, problem: str | None
) -> None:
    for name, text in files.items():
        yard.write(name, text)
    if kind is None:
        assert look_at(yard.url).state == "stopped"
    else:
        with pytest.raises(kind, match=problem):
            look_at(yard.url)
