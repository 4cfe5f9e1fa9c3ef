"""Processes that torchrun starts again: after one of them is killed, and after a machine is lost with all its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import train
from tests.distributed.runs import PATIENCE_SECONDS, Run, Values
from tests.namespaces import INTERFACE, Machine, machines
from tests.processes import running

CHANGES: Values = {
    "limits": {"max_steps": 60},
    "optimizer": {"learning_rate": 0.005, "epsilon": 1e-4},
    "validation": {"every_steps": None, "metric": "loss"},
    "checkpoints": {"every_steps": 5, "average": {"count": 1}},
}


def assert_as_undisturbed(run: Run, values: Values, tmp_path: Path) -> None:
    """Each step once, with the same rows, whoever did it."""
    other = tmp_path / "undisturbed"
    train(build(TrainConfig, {**values, **CHANGES, "output": str(other)}))
    undisturbed = Run.__new__(Run)
    undisturbed.output = other
    assert [row["step"] for row in run.rows()] == list(range(1, 61))
    assert [row["position"] for row in run.rows()] == [row["position"] for row in undisturbed.rows()]
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-4, rel=0)
    weights = load_model(str(other / "last")).model.state_dict()
    for name, weight in run.weights("last").items():
        torch.testing.assert_close(weight, weights[name], atol=1e-4, rtol=0)


def test_after_one_of_its_processes_is_killed_the_group_carries_on(
    make: Callable[..., Run], tiny_training: Values, tmp_path: Path
) -> None:
    run = make("run", **CHANGES)
    words = ("--standalone", "--max-restarts", "1", "--nproc-per-node", "2", "-m", "seq2seq_core.training")
    process = run.start((sys.executable, "-m", "torch.distributed.run", *words))
    run.wait_until(lambda: bool(run.steps()), process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(max(map(int, children)), signal.SIGKILL)
    _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    assert log.count("carrying on after step") == 1
    assert_as_undisturbed(run, tiny_training, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_after_a_machine_is_lost_the_other_carries_on(
    make: Callable[..., Run], tiny_training: Values, tmp_path: Path
) -> None:
    """Nothing is heard of it any more: no connection is closed, and so it is missed when it is late."""
    run = make("run", **CHANGES, sharding={"kind": "full"}, late_minutes=0.1)
    with machines() as (stays, goes), ExitStack() as stack:
        first, second = (
            stack.enter_context(
                running(_torchrun(machine, stays, run), tmp_path / f"{machine.address}.log", {"OMP_NUM_THREADS": "1"})
            )
            for machine in (stays, goes)
        )
        first.await_(lambda: bool(run.steps()), "a checkpoint", 240)
        assert "4 processes on cpu" in first.output + second.output
        goes.unplug()
        second.kill()
        assert first.wait(400) == 0, first.output
        assert "2 processes on cpu" in first.output
    assert_as_undisturbed(run, tiny_training, tmp_path)


def _torchrun(machine: Machine, meeting: Machine, run: Run) -> tuple[str, ...]:
    """Two processes of a machine, with those of another one or without."""
    return machine.command(
        *("env", f"GLOO_SOCKET_IFNAME={INTERFACE}", sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes", "1:2", "--nproc-per-node", "2", "--max-restarts", "3", "--local-addr", machine.address),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"{meeting.address}:29400", "--rdzv-id", "run"),
        *("--rdzv-conf", f"is_host={int(machine is meeting)},last_call_timeout=10"),
        *("-m", "seq2seq_core.training", "--config", str(run.config_file)),
    )
