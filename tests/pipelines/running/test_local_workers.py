"""Functions done by processes beside this one. Every test forks in a process of its own, which has no threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.running import local_workers

HEAD = """
import logging, os, signal, sys, threading, time
from pipelines.running import local_workers
from seq2seq_core.errors import InputError, Seq2SeqError

logging.basicConfig(level=logging.INFO, format="%(processName)s: %(message)s", stream=sys.stdout)

def call(name, function, *arguments):
    return local_workers.result(local_workers.begin(name, function, *arguments))

def append(path, text):
    with open(path, "a") as out:
        out.write(text)
    return os.getpid()

def fail():
    raise InputError("it is damaged", where="a.txt, line 3", found="x")

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def tell(number):
    logging.getLogger("pipelines.test").info("told %d", number)

def idle(path):
    append(path, f"{os.getpid()} ")
    time.sleep(60)

def await_idle(workers, count, path):
    for number in range(count):
        workers.begin(str(number), idle, path)
    while not os.path.exists(path) or len(open(path).read().split()) < count:
        time.sleep(0.01)

"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HEAD + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def lines_of(script: str, *arguments: object) -> list[str]:
    ended = run(script, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


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


def test_without_workers_this_process_does_it() -> None:
    begun = local_workers.begin("mine", os.getpid)
    assert begun.done()
    assert local_workers.result(begun) == os.getpid()


def test_a_process_beside_threads_is_not_forked() -> None:
    script = """
assert local_workers.can_start()
thread = threading.Thread(target=time.sleep, args=(1,))
thread.start()
assert not local_workers.can_start()
"""
    assert lines_of(script) == []


def test_other_processes_do_it_and_are_gone_afterwards() -> None:
    script = """
with local_workers.started(2):
    print(local_workers.are_started(), call("a", pow, 2, 5), call("b", os.getpid) != os.getpid())
print(local_workers.are_started(), call("b", os.getpid) == os.getpid())
"""
    assert lines_of(script) == ["True 32 True", "False True"]


def test_what_has_a_name_is_done_once(tmp_path: Path) -> None:
    script = """
with local_workers.started(2) as workers:
    begun = [workers.begin(name, append, sys.argv[1], name) for name in "xxyx"]
    call("x", append, sys.argv[1], "x")
    call("z", append, sys.argv[1], "z")
    assert begun[0] is begun[1] is begun[3]
"""
    assert lines_of(script, tmp_path / "log") == []
    assert sorted((tmp_path / "log").read_text()) == ["x", "y", "z"]


def test_an_error_comes_back_as_it_is() -> None:
    script = """
with local_workers.started(2):
    try:
        call("x", fail)
    except InputError as error:
        print(error, error.where)
    print(call("y", abs, -1))
"""
    assert lines_of(script) == ["a.txt, line 3: it is damaged; found x a.txt, line 3", "1"]


def test_what_workers_log_is_logged_here() -> None:
    script = """
with local_workers.started(2):
    for number in range(3):
        call(str(number), tell, number)
"""
    told = lines_of(script)
    assert sorted(line.partition(": ")[2] for line in told) == ["told 0", "told 1", "told 2"]
    assert all(line.startswith("ForkProcess-") for line in told)


def test_a_worker_that_dies_is_an_error_that_says_what_to_do() -> None:
    script = """
with local_workers.started(2):
    for name, function in (("x", die), ("y", os.getpid)):
        try:
            call(name, function)
        except Seq2SeqError as error:
            print(error)
"""
    message = "a worker process died before its work was done. Most often memory ran out: do with one worker"
    assert [line.partition(" (--")[0] for line in lines_of(script)] == [message, message]


def test_an_error_ends_workers_whatever_they_do(tmp_path: Path) -> None:
    script = """
with local_workers.started(2) as workers:
    await_idle(workers, 2, sys.argv[1])
    raise KeyboardInterrupt
"""
    began = time.monotonic()
    ended = run(script, tmp_path / "processes")
    assert ended.stderr.endswith("KeyboardInterrupt\n")
    assert time.monotonic() - began < 30
    await_end([int(number) for number in (tmp_path / "processes").read_text().split()])


def test_workers_do_not_outlive_a_process_that_is_killed(tmp_path: Path) -> None:
    script = """
with local_workers.started(3) as workers:
    await_idle(workers, 3, sys.argv[1])
    die()
"""
    assert run(script, tmp_path / "processes").returncode == -signal.SIGKILL
    await_end([int(number) for number in (tmp_path / "processes").read_text().split()])


def test_an_interrupt_of_the_whole_group_is_left_to_the_process_that_started_them() -> None:
    script = """
with local_workers.started(2):
    process = call("x", os.getpid)
    os.kill(process, signal.SIGINT)
    print(call("y", abs, -2))
"""
    assert lines_of(script) == ["2"]


def test_memory_is_the_system_s_where_that_takes_no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_workers.ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(local_workers.pa, "set_memory_pool", lambda pool: None)
    local_workers._keep_memory()


def test_only_linux_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_workers.threading, "active_count", lambda: 1)
    assert local_workers.can_start() == (sys.platform == "linux")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not local_workers.can_start()
