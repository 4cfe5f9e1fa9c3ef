"""Several processes whose dataset grows while they train: killed, carried on by another number of them, done again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from seq2seq_core.training.following.lineage import RunLineage, read_lineage
from tests.distributed.runs import ALONE, Run, Values, torchrun
from tests.growing_rows import GrowingRows

CHANGES: Values = {
    "limits": {"max_steps": 60},
    "validation": {"every_steps": 20, "metric": "loss"},
    "checkpoints": {"every_steps": 4, "average": {"count": 1}},
    "following": {"look_seconds": 0.05},
}


@pytest.fixture
def growing(tiny_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrowingRows:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return GrowingRows(tiny_dataset, tmp_path / "dataset")


def lineage(run: Run) -> RunLineage:
    found = read_lineage(str(run.output))
    assert found is not None
    return found


def assert_same(one: Run, other: Run) -> None:
    first, second = one.weights("last"), other.weights("last")
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())


@pytest.mark.slow
def test_a_generation_lands_amid_training_on_two_processes(make: Callable[..., Run], growing: GrowingRows) -> None:
    """Killed after it entered, the run carries on with the same batches, whatever the number of processes."""
    changes = {**CHANGES, "dataset": growing.root}
    followed, alone, replay = (make(name, **changes) for name in ("followed", "alone", "replay"))
    process = followed.start(torchrun(2), "--follow", "--limits.max_steps", "100000")
    followed.wait_until(lambda: len(followed.steps()) > 1, process)
    growing.grow(90)
    followed.wait_until(lambda: len(lineage(followed).segments) > 1, process)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    entered = lineage(followed)
    (first, second) = entered.segments
    assert (first.rows, second.rows, second.generation) == (400, 490, 1)
    growing.grow(30)
    shutil.copytree(followed.output, alone.output, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".claim"))
    most = str(max(*followed.steps(), second.step) + 10)
    followed.finish(torchrun(2), "--limits.max_steps", most)
    assert lineage(followed) == entered
    replay.finish(torchrun(2), "--limits.max_steps", most, "--replay", str(followed.output))
    assert lineage(replay).segments == entered.segments
    assert_same(followed, replay)
    alone.finish(ALONE, "--limits.max_steps", most)
    assert lineage(alone) == entered
    assert alone.losses() == pytest.approx(replay.losses(), abs=1e-5, rel=0)
