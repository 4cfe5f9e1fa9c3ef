"""Real processes that are started wrongly, interrupted while they start, killed, left by their launcher, or fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.distributed.runs import ALONE, PATIENCE_SECONDS, Run, Values, torchrun
from tests.processes import CLI, free_port

TRAIN = (*CLI, "train")
TWO = (*TRAIN, "--processes", "2")
CARRIES_ON = "the same command carries on from what is finished"
STATUS = Path("/proc/self/status")

FAILS_IN_RANK_1 = """
import runpy
import torch
from seq2seq_core.training import trainer
from seq2seq_core.training.processes.distributed import joined

def train(config):
    with joined("cpu") as world:
        if world.rank == 1:
            raise RuntimeError("broken")
        torch.distributed.all_reduce(torch.ones(1))

trainer.train = train
runpy.run_module("seq2seq_core.training", run_name="__main__")
"""


def given(*words: str) -> dict[str, str]:
    """Variables, as `RANK=1` words."""
    return dict(word.split("=", 1) for word in words)


@pytest.fixture
def often_saved(make: Callable[..., Run]) -> Run:
    """A run that goes on until it is stopped, and saves every few steps."""
    values: Values = {"limits": {"max_steps": 100_000}, "checkpoints": {"every_steps": 5}}
    return make("run", **values, validation={"every_steps": None, "metric": "loss"})


def children(process: subprocess.Popen[str]) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def is_running(process: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def wait_until_gone(processes: list[int]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_running, processes)):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.parametrize("command", [ALONE, TRAIN, TWO], ids=["module", "command", "two"])
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["RANK=1"], "RANK"),
        (["WORLD_SIZE=2"], "WORLD_SIZE"),
        (["RANK=abc"], "RANK"),
        (
            ["RANK=2", "WORLD_SIZE=2", "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=1", "MASTER_ADDR=a", "MASTER_PORT=1"],
            "RANK",
        ),
    ],
)
def test_variables_of_torchrun_that_make_no_place_are_a_line_before_any_work(
    make: Callable[..., Run], command: tuple[str, ...], words: list[str], named: str
) -> None:
    run = make("run")
    process = run.start(command, environment=given(*words))
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert re.fullmatch(rf"(seq2seq|training): {named}: .*; found .*; expected .*or start with torchrun\.\n", log), log
    assert not list(run.output.iterdir())


def test_processes_are_not_started_by_one_that_torchrun_started(make: Callable[..., Run]) -> None:
    words = ["RANK=0", "WORLD_SIZE=1", "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=1", "MASTER_ADDR=a", "MASTER_PORT=1"]
    process = make("run").start(TWO, environment=given(*words))
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert "seq2seq: RANK: a process that torchrun started does not start others" in log


def test_a_peer_that_does_not_come_is_named_and_an_interrupt_is_heard(make: Callable[..., Run]) -> None:
    port = free_port()
    words = ["RANK=0", "WORLD_SIZE=2", "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=1", "MASTER_ADDR=localhost"]
    process = make("run").start(TRAIN, environment=given(*words, f"MASTER_PORT={port}"))
    assert process.stderr is not None
    assert f"rank 0 of 2 waits for rank 1 at localhost:{port}" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=5)
    assert (process.returncode, log) == (130, f"seq2seq: interrupted; {CARRIES_ON}\n")


@pytest.mark.parametrize("start", [TWO, torchrun(2)], ids=["ours", "torchrun"])
def test_processes_save_and_end_when_their_launcher_is_killed(often_saved: Run, start: tuple[str, ...]) -> None:
    process = often_saved.start(start)
    often_saved.wait_until(lambda: bool(often_saved.steps()), process)
    ranks = children(process)
    assert len(ranks) == 2
    process.kill()
    wait_until_gone(ranks)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    (step,) = re.findall(r"stopped by a signal after step (\d+); the same command carries on", log)
    assert often_saved.steps()[-1] == int(step)
    assert "Traceback" not in log


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_is_told_with_the_step_to_carry_on_from(often_saved: Run, rank: int) -> None:
    process = often_saved.start(TWO)
    often_saved.wait_until(lambda: bool(often_saved.steps()), process)
    os.kill(sorted(children(process))[rank], signal.SIGKILL)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signal.SIGKILL
    (told,) = [line for line in log.splitlines() if line.startswith(("seq2seq", "training"))]
    assert told.startswith(f"seq2seq: rank {rank} of 2: a process was ended by a signal; found signal 9 (SIGKILL)")
    assert told.endswith(f"The same command carries on from step {often_saved.steps()[-1]}.")
    assert "Traceback" not in log
    assert "gloo" not in log


def test_a_process_that_fails_by_itself_is_told_alone(make: Callable[..., Run], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(FAILS_IN_RANK_1)
    process = make("run").start(torchrun(2, str(program)))
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    ours = log.partition("ChildFailedError")[0]
    assert ours.count("RuntimeError: broken") == 1
    assert "connection" not in ours
    assert "gloo" not in ours


def test_what_all_processes_meet_is_told_once(make: Callable[..., Run], tiny_dataset: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_dataset, damaged)
    (damaged / "tokenizer" / "joint.model").write_bytes(b"")
    process = make("run", dataset=str(damaged)).start(TWO)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert len(log.splitlines()) == 1, log
    assert str(damaged) in log


def listens(process: int) -> bool:
    """Whether a process catches SIGTERM, as Python does by itself not."""
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not say which signals a process catches")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("later", [0, 1.0])
@pytest.mark.parametrize("command", [ALONE, TRAIN, TWO], ids=["module", "command", "two"])
def test_a_stop_signal_while_processes_start_is_a_line(
    make: Callable[..., Run], command: tuple[str, ...], number: int, later: float
) -> None:
    run = make("run", limits={"max_steps": 100_000})
    process = run.start(command)
    run.wait_until(lambda: listens(process.pid), process)
    time.sleep(later)
    process.send_signal(number)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    assert "Traceback" not in log
    if not run.steps():
        word = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}[signal.Signals(number)]
        assert log.splitlines()[-1].endswith(f": {word}; {CARRIES_ON}")


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not say which signals a process catches")
@pytest.mark.parametrize("later", [0, 0.1, 1.0])
def test_a_stop_signal_while_several_are_started_ends_all(make: Callable[..., Run], later: float) -> None:
    run = make("run", limits={"max_steps": 100_000})
    process = run.start(TWO)
    run.wait_until(lambda: bool(children(process)), process)
    time.sleep(later)
    ranks = children(process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in log
    assert log.splitlines()[-1] == f"seq2seq: interrupted; {CARRIES_ON}"
    wait_until_gone(ranks)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("closed", [">&- 2>&- <&-", ">/dev/full 2>/dev/full", "2>&1 | true"])
def test_closed_streams_and_full_ones_do_not_end_training(
    make: Callable[..., Run], processes: int, closed: str
) -> None:
    run = make("run", limits={"max_steps": 3})
    words = f'"{sys.executable}" -m pipelines.cli train --config "{run.config_file}" --processes {processes}'
    subprocess.run(["sh", "-c", f"{words} {closed}; exit 0"], check=True, timeout=PATIENCE_SECONDS)
    assert (run.output / "last").exists()
