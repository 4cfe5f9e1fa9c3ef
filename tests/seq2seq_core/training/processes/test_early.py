from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from seq2seq_core.training.processes.early import ending_at_once, told

PROGRAM = """
import os, sys
from seq2seq_core.training.processes.early import end_at_once

end_at_once("training", dict.fromkeys(sys.argv[2:]))
sys.stdout.write("x")
os.kill(os.getpid(), int(sys.argv[1]))
while True:
    pass
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")])
def test_a_stop_signal_ends_a_process_in_one_line(number: int, word: str) -> None:
    done = run(str(int(number)))
    assert done.returncode == 128 + number
    assert done.stderr == f"training: {word}; the same command carries on from what is finished\n"


@pytest.mark.parametrize("launcher", ["SEQ2SEQ_LAUNCHER", "TORCHELASTIC_RUN_ID"])
def test_one_of_several_leaves_the_line_to_its_launcher(launcher: str) -> None:
    done = run(str(int(signal.SIGTERM)), launcher)
    assert (done.returncode, done.stderr) == (143, "")


def test_it_takes_no_time_to_import() -> None:
    heavy = "{'torch', 'pydantic', 'logging', 'numpy', 'fsspec'}"
    code = f"import sys, seq2seq_core.training.processes.early as e; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_after_the_block_others_listen_again() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with ending_at_once("x", {}):
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_outside_the_main_thread_nothing_changes() -> None:
    found: list[object] = []

    def listen() -> None:
        with ending_at_once("x", {}):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_what_is_told_names_no_signal_twice() -> None:
    assert told(signal.SIGINT) == "interrupted; the same command carries on from what is finished"
