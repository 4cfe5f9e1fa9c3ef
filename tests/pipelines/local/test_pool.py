"""Calls answered by processes beside this one, from threads, scripts and tests: it is no matter what this one has."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.graphs import failures
from pipelines.local import pool
from pipelines.local.pool import Pool, started
from seq2seq_core.errors import InputError, Seq2SeqError, StorageError
from tests import pool_work

DIED = "a worker process died before its work was done. Most often memory ran out: do with one worker"
PRELOAD = ("tests.pool_work",)

KILLED = """
import os, sys, threading
from pipelines.local.pool import started
from tests import pool_work

with started(3, ["tests.pool_work"]) as pool:
    threading.Thread(target=lambda: list(pool.map(pool_work.idle, [(sys.argv[1],)] * 3)), daemon=True).start()
    pool_work.await_idle(sys.argv[1], 3)
    print(pool.address, flush=True)
    pool_work.die()
"""
NO_MAIN_FUNCTION = """
from pipelines.local.pool import started
from tests import pool_work

print("once")
with started(2, ["tests.pool_work"]) as pool:
    print(list(pool.map(pool_work.nap, [(0.0,), (0.1,)])))
"""
INTERRUPTED = """
import os, signal, sys, threading, time
from pipelines.local.pool import started
from tests import pool_work

signal.signal(signal.SIGINT, signal.default_int_handler)
with started(2, ["tests.pool_work"]) as pool:
    for _ in range(2):  # while they begin, and when they have begun
        threading.Timer(0.1, os.killpg, (0, signal.SIGINT)).start()
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print(list(pool.map(pool_work.nap, [(0.0,)])))
"""


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def script(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environment, start_new_session=True
    )


@pytest.fixture(params=[True, False], ids=["forked", "not forked"])
def two(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """Two processes: forked from one that has imported what they need, or each by itself, as on macOS."""
    monkeypatch.setattr(pool, "_CAN_FORK", request.param)
    return request.getfixturevalue("_two")


@pytest.fixture
def _two() -> Iterator[Pool]:
    with started(2, PRELOAD) as processes:
        yield processes


def test_they_are_gone_afterwards() -> None:
    with started(2, PRELOAD) as two:
        processes = list(two.map(pool_work.process, [()] * 20))
    await_end(processes)


def test_others_do_it_side_by_side_and_the_answers_come_in_order(two: Pool) -> None:
    assert list(two.map(pool_work.nap, [(0.3,), (0.0,), (0.2,), (0.1,)])) == [0.3, 0.0, 0.2, 0.1]
    processes = set(two.map(pool_work.process, [()] * 20))
    assert len(processes) <= 2
    assert os.getpid() not in processes
    assert list(two.map(pool_work.process, [])) == []


def fail_beside_two_that_are_idle(folder: str) -> None:
    idle, fail = (pool_work.idle, folder), (pool_work.fail_when_others_are_idle, folder, 2)
    with started(3, PRELOAD) as three:
        list(three.map(pool_work.call, [idle, idle, fail]))


def test_an_error_ends_processes_whatever_they_do(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(InputError):
        fail_beside_two_that_are_idle(str(tmp_path))
    assert time.monotonic() - begun < 30
    await_end([int(path.name) for path in tmp_path.iterdir()])


def test_a_pool_can_be_sent_and_asked_from_threads(two: Pool) -> None:
    copy = pickle.loads(pickle.dumps(two))
    found: list[list[float]] = []
    threads = [
        threading.Thread(target=lambda: found.append(list(copy.map(pool_work.nap, [(0.01,)] * 5)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [[0.01] * 5] * 4


def test_an_error_comes_back_as_it_is_and_the_processes_go_on(two: Pool) -> None:
    with pytest.raises(InputError, match=r"a\.txt, line 3: it is damaged; found x") as error:
        list(two.map(pool_work.fail, [()]))
    assert error.value.where == "a.txt, line 3"
    assert "in fail\n" in error.value.__notes__[0]
    with pytest.raises(OSError, match="No space") as of_system:
        list(two.map(pool_work.fail_of_the_system, [()]))
    assert isinstance(failures.cause(of_system.value), StorageError)
    assert list(two.map(pool_work.nap, [(0.0,)])) == [0.0]


def test_an_error_that_cannot_be_sent_is_told(two: Pool) -> None:
    with pytest.raises(RuntimeError) as error:
        list(two.map(pool_work.fail_stubbornly, [()]))
    assert str(error.value) == "tests.pool_work.StubbornError: a.txt: no"


def test_what_processes_log_is_logged_here(two: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        list(two.map(pool_work.tell, [(number,) for number in range(5)]))
    assert sorted(record.getMessage() for record in caplog.records) == [f"told {number}" for number in range(5)]
    assert os.getpid() not in {record.process for record in caplog.records}


def test_a_process_answers_several_calls_at_a_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with started(1, PRELOAD, in_each=2) as one, caplog.at_level(logging.INFO):
        processes = set(one.map(pool_work.tell_when_both_are_there, [(str(tmp_path), number) for number in range(2)]))
        assert len(processes) == 1
        assert list(one.map(pool_work.nap, [(0.2,), (0.0,), (0.1,)])) == [0.2, 0.0, 0.1]
    told = sorted(record.getMessage() for record in caplog.records)
    assert told == ["told 0", "told 1", "told 10", "told 11"]


def test_what_nobody_listens_to_is_not_logged(two: Pool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), caplog.at_level(logging.ERROR, "pipelines.test"):
        list(two.map(pool_work.tell, [(1,)]))
    assert not caplog.records


def test_a_process_that_dies_is_an_error_that_says_what_to_do(two: Pool) -> None:
    for _ in range(3):  # until nobody is left to answer
        with pytest.raises(Seq2SeqError) as error:
            list(two.map(pool_work.die, [()]))
        assert str(error.value).partition(" (--")[0] == DIED


def test_processes_do_not_outlive_one_that_is_killed(tmp_path: Path) -> None:
    ended = script(KILLED, tmp_path)
    assert ended.returncode == -signal.SIGKILL
    await_end([int(path.name) for path in tmp_path.iterdir()])
    deadline = time.monotonic() + 20
    while Path(ended.stdout.strip()).parent.exists():
        assert time.monotonic() < deadline


def test_an_interrupt_of_a_process_is_nothing(two: Pool) -> None:
    assert len(set(two.map(pool_work.interrupt, [()] * 6))) <= 2


def test_an_interrupt_of_the_whole_group_is_left_to_the_process_that_started_them() -> None:
    ended = script(INTERRUPTED)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[0.0]\n" * 2, "")


def test_a_script_without_a_main_function_runs_once(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(NO_MAIN_FUNCTION)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(tmp_path / "script.py")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (ended.stdout, ended.stderr) == ("once\n[0.0, 0.1]\n", "")


def test_a_long_name_of_the_folder_for_temporary_files_is_none_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with started(1, PRELOAD) as one:
        assert list(one.map(pool_work.nap, [(0.0,)])) == [0.0]
    assert not list(long.iterdir())
