"""Real processes that would work in one run folder, or should and do not: one run owns it, and all see the same."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from seq2seq_core.models.folder import load_model
from tests.processes import Process, free_port, running

Values = dict[str, Any]

SLOW_VALIDATION = """
import pathlib, runpy, sys, time
from seq2seq_core.training import agreement, ownership
ownership.SHOW_SECONDS = 1
meet, log = agreement.Turns.meet, pathlib.Path(sys.argv.pop(1))

def slow(self):
    with log.open("a") as file:
        file.write("met\\n")
    time.sleep(0.5)
    meet(self)

agreement.Turns.meet = slow
runpy.run_module("seq2seq_core.training", run_name="__main__", alter_sys=True)
"""
SAVING: Values = {"limits": {"max_steps": 60}, "validation": {"every_steps": 20}, "checkpoints": {"every_steps": 5}}


class Folder:
    """Where a test keeps its runs; every process writes a log of its own."""

    def __init__(self, root: Path, values: Values, stack: ExitStack) -> None:
        self.root, self._values, self._stack = root, values, stack

    def start(
        self, name: str, output: str, *command: str, environment: dict[str, str] | None = None, **changes: Any
    ) -> Process:
        config = self.root / f"{name}.yaml"
        config.write_text(yaml.safe_dump({**self._values, **changes, "output": str(self.root / output)}))
        words = [sys.executable, *(command or ("-m", "seq2seq_core.training")), "--config", str(config)]
        log = self.root / f"{name}.log"
        return self._stack.enter_context(running(words, log, {"OMP_NUM_THREADS": "1", **(environment or {})}))

    def ranks(self, outputs: list[str], *command: str, **changes: Any) -> list[Process]:
        """Two processes as torchrun starts them on two machines; `changes` by key are lists, one value a process."""
        shared = {"WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        return [
            self.start(
                f"rank{rank}",
                output,
                *command,
                environment={**shared, "RANK": str(rank), "GROUP_RANK": str(rank)},
                **{key: value[rank] for key, value in changes.items()},
            )
            for rank, output in enumerate(outputs)
        ]

    def weights(self, output: str) -> dict[str, torch.Tensor]:
        return dict(load_model(str(self.root / output / "best")).model.state_dict())

    def rows(self, output: str) -> list[tuple[str, int]]:
        lines = (self.root / output / "metrics.jsonl").read_text().splitlines()
        return [(row["kind"], row["step"]) for row in map(json.loads, lines)]


@pytest.fixture
def folder(tmp_path: Path, tiny_training: Values) -> Iterator[Folder]:
    with ExitStack() as stack:
        yield Folder(tmp_path, tiny_training, stack)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def has_steps(output: Path) -> Callable[[], bool]:
    return lambda: any(output.glob("checkpoints/*/checkpoint.json"))


def test_of_two_trainings_of_other_identity_the_second_is_refused(folder: Folder) -> None:
    long: Values = {**SAVING, "limits": {"max_steps": 100_000}}
    first = folder.start("first", "run", **long)
    first.await_(has_steps(folder.root / "run"), "the first checkpoint")
    second = folder.start("second", "run", **SAVING, seed=2)
    assert second.wait() == 1
    assert "another training is under way here; found fingerprint " in second.output
    assert "expected fingerprint " in second.output
    assert f"process {first._process.pid} on " in second.output
    assert "Traceback" not in second.output
    assert first.is_running
    os.kill(first._process.pid, signal.SIGTERM)
    assert first.wait() == 143
    third = folder.start("third", "run", **SAVING, seed=2)
    assert third.wait() == 1
    assert "the checkpoints are those of another run: seed differs" in third.output


def test_of_two_equal_trainings_the_second_waits_and_both_end_in_the_same(folder: Folder) -> None:
    pair = [folder.start(name, "run", **SAVING) for name in ("first", "second")]
    alone = folder.start("alone", "alone", **SAVING)
    assert [process.wait() for process in (*pair, alone)] == [0, 0, 0]
    assert sum("the same training is at work in " in process.output for process in pair) == 1
    assert folder.rows("run") == folder.rows("alone")
    assert same(folder.weights("run"), folder.weights("alone"))


def test_a_killed_training_does_not_lock_out_the_next(folder: Folder) -> None:
    first = folder.start("first", "run", **{**SAVING, "limits": {"max_steps": 100_000}})
    first.await_(has_steps(folder.root / "run"), "the first checkpoint")
    first.kill()
    again = folder.start("again", "run", **{**SAVING, "limits": {"max_steps": 1}})
    assert again.wait(60) == 0, again.output
    assert "waiting" not in again.output


def test_two_machines_without_a_shared_run_folder_are_refused(folder: Folder) -> None:
    script = folder.root / "script.py"
    script.write_text(SLOW_VALIDATION)
    pair = folder.ranks(["here", "there"], str(script), str(folder.root / "meetings"))
    assert [process.wait(120) for process in pair] == [2, 2], [process.output for process in pair]
    told = "".join(process.output for process in pair)
    assert "not every process sees the run folder of process 0" in told
    assert "found process 1 has another folder of that name" in told
    assert "Traceback" not in told
    assert not any((folder.root / name / "checkpoints").exists() for name in ("here", "there"))


def test_two_machines_that_train_other_things_are_refused(folder: Folder) -> None:
    pair = folder.ranks(["run", "run"], seed=[1, 2])
    assert [process.wait(120) for process in pair] == [2, 2], [process.output for process in pair]
    told = "".join(process.output for process in pair)
    assert "the processes do not train the same: " in told
    assert "seed = 2 for process 1; expected seed = 1 of process 0" in told.replace("\n", " ")
    assert "Traceback" not in told


@pytest.mark.parametrize("which", [0, 1])
def test_a_signal_to_one_of_two_processes_leaves_the_validation_of_both(folder: Folder, which: int) -> None:
    script, meetings = folder.root / "script.py", folder.root / "meetings"
    script.write_text(SLOW_VALIDATION)
    changes = {"limits": {"max_steps": 4}, "validation": {"every_steps": 4, "max_batch_tokens": 30}}
    both = {key: [value, value] for key, value in changes.items()}
    pair = folder.ranks(["run", "run"], str(script), str(meetings), **both)
    pair[0].await_(meetings.exists, "the validation")
    met = len(meetings.read_text().splitlines())
    os.kill(pair[which]._process.pid, signal.SIGTERM)
    began = time.monotonic()
    assert [process.wait(60) for process in pair] == [143, 143], [process.output for process in pair]
    assert time.monotonic() - began < 30
    assert len(meetings.read_text().splitlines()) < met + 12
    assert "stopped by a signal after step 4" in pair[0].output
    assert (folder.root / "run" / "checkpoints" / "step-00000004" / "checkpoint.json").exists()
    again = folder.ranks(["run", "run"], **both)
    assert [process.wait(120) for process in again] == [0, 0]
    assert ("validation", 4) in folder.rows("run")
