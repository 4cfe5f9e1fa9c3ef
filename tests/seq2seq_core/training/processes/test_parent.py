"""A process whose launcher is killed: it stops as for SIGTERM, and ends in any case."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A launcher that starts one process and says its number; what that one does stands in a file of its own.
LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, sys.argv[1]], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""
FOLLOWER = """
import os, pathlib, signal, sys, time
from seq2seq_core.training.processes import parent
from seq2seq_core.training.processes.place import Place

parent.GRACE_SECONDS = 0.5
here = pathlib.Path(__file__).parent
handler = {handler}
signal.signal(signal.SIGTERM, handler)
parent.follow_launcher(Place(launcher={launcher}))
parent.follow_launcher(Place(launcher={launcher}))
(here / "ready").touch()
{work}
"""
STOPS = "lambda number, frame: ((here / 'stopped').write_text(str(number)), os._exit(0))"
NOTES = "lambda number, frame: (here / 'stopped').write_text(str(number))"
WAITS = "time.sleep(90)"
# The main thread waits outside of Python, as in a collective: no handler runs.
BLOCKED = "import threading, ctypes; (here / 'blocked').touch(); ctypes.CDLL(None).pause(); ctypes.CDLL(None).pause()"


def wait_until(condition: object, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def is_running(process: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return found.stdout.strip() not in ("", "Z", "Zs")


@pytest.mark.parametrize(
    ("handler", "work", "is_told"),
    [(STOPS, WAITS, True), (NOTES, "while True: time.sleep(0.1)", True), ("signal.SIG_IGN", BLOCKED, False)],
    ids=["stops", "goes on", "is blocked"],
)
def test_a_process_ends_when_its_launcher_is_killed(handler: str, work: str, is_told: bool, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(FOLLOWER.format(handler=handler, work=work, launcher="os.getppid()"))
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(program)], stdout=subprocess.PIPE, text=True
    ) as launcher:
        assert launcher.stdout is not None
        child = int(launcher.stdout.readline())
        wait_until((tmp_path / "ready").exists)
        time.sleep(0.7)
        assert is_running(child)
        launcher.kill()
    wait_until(lambda: not is_running(child))
    assert (tmp_path / "stopped").exists() == is_told
    if is_told:
        assert (tmp_path / "stopped").read_text() == str(int(signal.SIGTERM))


def test_a_launcher_that_was_gone_before_is_noticed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(FOLLOWER.format(handler=STOPS, work=WAITS, launcher="999999998"))
    assert subprocess.run([sys.executable, str(program)], check=False, timeout=60).returncode == 0
    assert (tmp_path / "stopped").exists()


def test_without_a_launcher_a_process_goes_on_when_its_shell_ends(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(FOLLOWER.format(handler=STOPS, work="time.sleep(2)", launcher="None"))
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, str(program)], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        wait_until((tmp_path / "ready").exists)
        shell.kill()
    time.sleep(1.2)
    assert is_running(child)
    wait_until(lambda: not is_running(child))
    assert not (tmp_path / "stopped").exists()
