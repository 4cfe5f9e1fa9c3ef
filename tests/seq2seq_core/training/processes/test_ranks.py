"""Small programs in place of trainings: how several processes end, and what is made of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from seq2seq_core.errors import TrainingError
from seq2seq_core.training.processes import ranks
from seq2seq_core.training.processes.ranks import Ending, run_ranks

ADDRESS = ("127.0.0.1", 1)
HEAD = """
import os, pathlib, signal, sys, time
rank, here = int(os.environ["RANK"]), pathlib.Path(sys.argv[1])
(here / f"{rank}.pid").write_text(str(os.getpid()))
def end(code):
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(code))
"""


def run(tmp_path: Path, body: str, count: int = 2) -> Ending:
    return run_ranks([sys.executable, "-c", HEAD + body, str(tmp_path)], count, ADDRESS)


def test_all_end_well_and_find_the_variables(tmp_path: Path) -> None:
    body = """
from seq2seq_core.training.processes.place import find_place
place = find_place()
(here / f"{rank}.place").write_text(f"{place.rank} {place.size} {place.meeting} {place.launcher == os.getppid()}")
"""
    assert run(tmp_path, body, 3) == Ending(None, None, None, 0)
    found = [(tmp_path / f"{rank}.place").read_text() for rank in range(3)]
    assert found == [f"{rank} 3 127.0.0.1:1 True" for rank in range(3)]


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_one_ended_by_a_signal_is_named_whatever_becomes_of_the_others(
    tmp_path: Path, victim: int, number: int
) -> None:
    body = f"""
if rank == {victim}:
    time.sleep(0.3)
    os.kill(os.getpid(), {int(number)})
end(1)
time.sleep(90)
"""
    assert run(tmp_path, body) == Ending(None, victim, number, 128 + number)


@pytest.mark.parametrize("code", [1, 2, 3])
def test_one_that_fails_gives_its_code(tmp_path: Path, code: int) -> None:
    body = f"end(143)\nif rank == 1: sys.exit({code})\ntime.sleep(90)"
    began = time.monotonic()
    assert run(tmp_path, body, 3) == Ending(None, 1, None, code)
    assert time.monotonic() - began < 30


def test_one_that_does_not_end_with_its_peers_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_PEERS_SECONDS", 0.5)
    body = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(here / f"{rank}.deaf").touch()
while rank == 1 and not (here / "0.deaf").exists():
    time.sleep(0.05)
if rank == 1: sys.exit(7)
time.sleep(90)
"""
    assert run(tmp_path, body) == Ending(None, 1, None, 7)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "0.pid").read_text()), 0)


def signalled(number: int, tmp_path: Path, count: int = 2) -> threading.Thread:
    """Send this process a signal when all have begun."""

    def send() -> None:
        while len(list(tmp_path.glob("*.ready"))) < count:
            time.sleep(0.05)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("code", [143, 0])
def test_a_stop_signal_reaches_all_as_sigterm(tmp_path: Path, number: int, code: int) -> None:
    thread = signalled(number, tmp_path)
    body = f"""
signal.signal(signal.SIGINT, lambda number, frame: os._exit(9))
end({code})
(here / f"{{rank}}.ready").touch()
time.sleep(90)
"""
    assert run(tmp_path, body) == Ending(number, None, None, 128 + number)
    thread.join()


def test_one_that_fails_when_it_is_stopped_is_not_hidden(tmp_path: Path) -> None:
    thread = signalled(signal.SIGTERM, tmp_path)
    body = 'end(1 if rank else 143)\n(here / f"{rank}.ready").touch()\ntime.sleep(90)'
    assert run(tmp_path, body) == Ending(signal.SIGTERM, 1, None, 1)
    thread.join()


def test_one_that_was_stopped_by_others_stops_all(tmp_path: Path) -> None:
    body = "end(143)\nif rank == 1: sys.exit(143)\ntime.sleep(90)"
    assert run(tmp_path, body) == Ending(None, None, None, 143)


def test_a_system_that_starts_no_more_is_told_and_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = ranks.subprocess.Popen, []

    def fails(*arguments: object, **named: object) -> object:
        if started:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(start(*arguments, **named))  # type: ignore[call-overload]
        return started[0]

    monkeypatch.setattr(ranks.subprocess, "Popen", fails)
    with pytest.raises(TrainingError, match=r"rank 1 of 2: .*temporarily unavailable.*--processes"):
        run(tmp_path, "time.sleep(90)")
    assert started[0].poll() == -signal.SIGKILL
