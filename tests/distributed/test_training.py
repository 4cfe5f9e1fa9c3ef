"""Training as real processes: equal at any world size, killed and stopped at any moment, and started by `launch`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seq2seq_core.models.folder import load_model

Values = dict[str, Any]

ALONE = (sys.executable, "-m", "seq2seq_core.training")
LAUNCH = "import sys; from seq2seq_core.training.launch import launch; sys.exit(launch(sys.argv[2], sys.argv[3:], 2))"
PATIENCE_SECONDS = 120

THREADS_AT_THE_END = """
import atexit, pathlib, runpy, sys

def tell():
    names = [path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
    sys.stderr.write("".join(f"left: {name}\\n" for name in names))

atexit.register(tell)
runpy.run_module("seq2seq_core.training", run_name="__main__")
"""
BROKEN_AMID_A_COLLECTIVE = """
import runpy, time
import torch
from seq2seq_core.training import launch
from seq2seq_core.training.distributed import joined

def train(config):
    with joined("cpu") as world:
        if world.rank == 0:
            time.sleep(200)
        torch.distributed.all_reduce(torch.ones(1), async_op=True)
        raise RuntimeError("broken")

launch.train = train
runpy.run_module("seq2seq_core.training", run_name="__main__")
"""


class Run:
    """A run folder with its train.yaml, started as often as a test likes."""

    def __init__(self, output: Path, values: Values) -> None:
        self.output = output
        output.mkdir()
        self.config_file = output.parent / f"{output.name}.yaml"
        self.config_file.write_text(yaml.safe_dump({**values, "output": str(output)}))

    def start(self, command: tuple[str, ...] = ALONE, *options: str) -> subprocess.Popen[str]:
        words = [*command, "--config", str(self.config_file), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment)

    def finish(self, command: tuple[str, ...] = ALONE, *options: str) -> str:
        """Run to the end; the log."""
        process = self.start(command, *options)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, log
        return log

    def wait_until(self, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
        """Return when the condition holds, while the process runs."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.02)

    def rows(self, kind: str = "train") -> list[Values]:
        rows = map(json.loads, (self.output / "metrics.jsonl").read_text().splitlines())
        return [row for row in rows if row["kind"] == kind]

    def losses(self) -> list[float]:
        return [row["loss"] for row in self.rows()]

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints."""
        return sorted(int(path.parent.name[5:]) for path in self.output.glob("checkpoints/*/checkpoint.json"))

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        return dict(load_model(str(self.output / name)).model.state_dict())


def torchrun(processes: int, *program: str) -> tuple[str, ...]:
    start = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
    return (*start, *(program or ("-m", "seq2seq_core.training")))


def assert_same(one: Run, other: Run, name: str) -> None:
    first, second = one.weights(name), other.weights(name)
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.fixture
def make(tmp_path: Path, tiny_training: Values) -> Callable[..., Run]:
    def make(name: str, **changes: Any) -> Run:
        return Run(tmp_path / name, {**tiny_training, "validation": {"every_steps": 5}, **changes})

    return make


@pytest.fixture
def dropping(tiny_training: Values) -> Values:
    """A model with dropout."""
    return {**tiny_training["model"], "dropout": 0.2}


def test_one_and_two_processes_have_the_same_curve_and_may_take_over_from_each_other(make: Callable[..., Run]) -> None:
    # Batches of some 8 rows, cut into pieces of one or two: the processes accumulate differently often.
    small = {"batch_tokens": 100, "bins_per_batch": 4, "max_source_tokens": 12, "max_target_tokens": 12}
    changes: Values = {"data": small, "loader": {"max_tokens_per_device": 26}, "schedule": {"warmup_steps": 5}}
    one, two, mixed = (make(name, **changes) for name in ("one", "two", "mixed"))
    one.finish()
    log = two.finish(torchrun(2))
    assert "FutureWarning" not in log
    mixed.finish(torchrun(2), "--limits.max_steps", "6")
    mixed.finish(torchrun(2), "--limits.max_steps", "13")
    mixed.finish()
    assert len(one.losses()) == 20
    assert two.losses() == pytest.approx(one.losses(), abs=1e-5, rel=0)
    assert mixed.losses() == pytest.approx(one.losses(), abs=1e-5, rel=0)
    assert mixed.losses()[:13] == two.losses()[:13]
    for row, other in zip(one.rows("validation"), two.rows("validation"), strict=True):
        assert row["bleu"] == pytest.approx(other["bleu"])
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-5)


def test_ranks_without_rows_take_part(make: Callable[..., Run]) -> None:
    # One row a batch: the second process never has any.
    single = {"batch_tokens": 13, "bins_per_batch": 1, "max_source_tokens": 12, "max_target_tokens": 12}
    one, two = (make(name, data=single, validation={"metric": "loss"}) for name in ("one", "two"))
    one.finish()
    two.finish(torchrun(2))
    assert two.losses() == pytest.approx(one.losses(), abs=1e-5, rel=0)


def test_no_thread_of_the_process_group_is_left_when_the_interpreter_ends(
    make: Callable[..., Run], tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(THREADS_AT_THE_END)
    log = make("run", limits={"max_steps": 2}).finish(torchrun(2, str(program)))
    left = [line for line in log.splitlines() if line.startswith("left: ")]
    assert len(left) >= 2
    assert not any("gloo" in name for name in left)


def test_a_process_that_fails_amid_a_collective_ends_all(make: Callable[..., Run], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(BROKEN_AMID_A_COLLECTIVE)
    process = make("run").start(torchrun(2, str(program)))
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "RuntimeError: broken" in log


def test_killed_at_any_moment_a_run_ends_in_the_same_bits(make: Callable[..., Run], dropping: Values) -> None:
    changes: Values = {
        "model": dropping,
        "limits": {"max_steps": 150},
        "validation": {"every_steps": 7, "metric": "loss"},
        "checkpoints": {"every_steps": 2, "keep_last": 2, "keep_best": 2, "average": {"count": 2}},
    }
    straight, killed = make("straight", **changes), make("killed", **changes)
    straight.finish()
    moments = random.Random(time.time_ns())
    for _ in range(2):
        later = max(killed.steps(), default=0) + 8
        process = killed.start()
        killed.wait_until(lambda later=later: max(killed.steps(), default=0) >= later, process)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.communicate()
        assert killed.steps()
        assert load_model(str(killed.output / "best"))
    killed.finish()
    assert_same(straight, killed, "last")
    assert_same(straight, killed, "best")
    assert killed.losses() == straight.losses()
    assert killed.steps() == straight.steps()


@pytest.fixture
def endless(make: Callable[..., Run]) -> Run:
    """A run that saves nothing unless it is stopped."""
    rare: Values = {"limits": {"max_steps": 100_000}, "checkpoints": {"every_steps": 99_999}}
    return make("endless", **rare, validation={"every_steps": None, "metric": "loss"})


def stopped(run: Run, command: tuple[str, ...], number: int) -> tuple[int, str]:
    """Start a run and stop it by a signal: exit code and log."""
    process = run.start(command)
    metrics = run.output / "metrics.jsonl"
    run.wait_until(lambda: metrics.exists() and metrics.stat().st_size > 0, process)
    process.send_signal(number)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, log


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_signal_saves_and_has_its_exit_code(endless: Run, number: int, code: int) -> None:
    found, log = stopped(endless, ALONE, number)
    assert found == code, log
    (step,) = endless.steps()
    assert f"stopped by a signal after step {step}; the same command carries on" in log
    endless.finish(ALONE, "--limits.max_steps", str(step + 1))
    assert [row["step"] for row in endless.rows()] == list(range(1, step + 2))


def test_launch_passes_a_signal_on_to_all_its_processes(endless: Run) -> None:
    command = (sys.executable, "-c", LAUNCH)
    code, log = stopped(endless, command, signal.SIGTERM)
    assert code == 143, log
    (step,) = endless.steps()
    log = endless.finish(command, "--limits.max_steps", str(step + 1))
    assert "2 processes on cpu" in log
    assert endless.rows()[-1]["step"] == step + 1


def test_a_wrong_configuration_is_told_in_one_line_with_its_exit_code(make: Callable[..., Run]) -> None:
    process = make("run").start(ALONE, "--optimizer.learning_rat", "1")
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert log == "training: unknown option --optimizer.learning_rat. Did you mean optimizer.learning_rate?\n"
