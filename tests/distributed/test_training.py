"""Training as real processes: equal at any world size, killed and stopped at any moment, and started by `launch`."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seq2seq_core.models.folder import load_model
from tests.distributed.runs import ALONE, PATIENCE_SECONDS, Run, Values, torchrun

LAUNCH = "import sys; from seq2seq_core.training.launch import launch; sys.exit(launch(sys.argv[2], sys.argv[3:], 2))"
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
from seq2seq_core.training import trainer
from seq2seq_core.training.processes.distributed import joined

def train(config):
    with joined("cpu") as world:
        if world.rank == 0:
            time.sleep(200)
        torch.distributed.all_reduce(torch.ones(1), async_op=True)
        raise RuntimeError("broken")

trainer.train = train
runpy.run_module("seq2seq_core.training", run_name="__main__")
"""


def assert_same(one: Run, other: Run, name: str) -> None:
    first, second = one.weights(name), other.weights(name)
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


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


def test_one_and_two_processes_see_the_same_noise_of_the_same_mixture(
    make: Callable[..., Run], tiny_training: Values, tmp_path: Path
) -> None:
    shutil.copytree(tiny_training["dataset"], tmp_path / "second")
    mixture: Values = {
        "dataset": [tiny_training["dataset"], str(tmp_path / "second")],
        "mixture": {"weights": [1, 2]},
        "validation": {"metric": "loss"},
    }
    noise = {"sample_segmentation": "both", "unigram_alpha": 0.1, "word_dropout": {"source": 0.2, "target": 0.2}}
    changes: Values = {"noise": noise, "r_drop": 2.0, "schedule": {"warmup_steps": 5}, "limits": {"max_steps": 8}}
    one, two = (make(name, **changes, **mixture) for name in ("one", "two"))
    one.finish()
    two.finish(torchrun(2))
    assert len(one.losses()) == 8
    assert two.losses() == pytest.approx(one.losses(), abs=1e-5, rel=0)
    assert [row["drawn"] for row in one.rows()] == [row["drawn"] for row in two.rows()]


def test_one_and_two_processes_have_the_same_optimizer_average_and_plateaus(make: Callable[..., Run]) -> None:
    changes: Values = {
        "optimizer": {"kind": "adafactor", "learning_rate": 0.02},
        "schedule": {"kind": "plateau", "warmup_steps": 1, "plateau_patience": 1},
        "validation": {"every_steps": 2, "weights": {"bleu": 1}, "keep_outputs": True},
        "ema_decay": 0.9,
        "limits": {"max_steps": 7},
    }
    one, two = (make(name, **changes) for name in ("one", "two"))
    one.finish()
    two.finish(torchrun(2))
    assert two.losses() == pytest.approx(one.losses(), abs=1e-4, rel=0)
    ours, theirs = ([path.read_text() for path in sorted(run.output.glob("validations/*"))] for run in (one, two))
    assert len(ours) == 4
    assert ours == theirs
    assert [row["learning_rate"] for row in two.rows()] == [row["learning_rate"] for row in one.rows()]
    for row, other in zip(one.rows("validation"), two.rows("validation"), strict=True):
        assert row["loss"] == pytest.approx(other["loss"], abs=1e-4)


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
