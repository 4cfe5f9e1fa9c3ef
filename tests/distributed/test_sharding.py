"""Trainings whose weights are spread over processes: as exact as any other, and each carries on what another began."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import train

Values = dict[str, Any]

FULL: Values = {"sharding": {"kind": "full"}}
HYBRID: Values = {"sharding": {"kind": "hybrid", "group": 2}}
BFLOAT16: Values = {"precision": "bfloat16"}
CHANGES: Values = {
    # Batches of some 8 rows, cut into pieces of one or two: the processes accumulate differently often.
    "data": {"batch_tokens": 100, "bins_per_batch": 4, "max_source_tokens": 12, "max_target_tokens": 12},
    "loader": {"max_tokens_per_device": 26},
    # Such an epsilon keeps what rounding leaves of a gradient of 0 from becoming a whole step.
    "optimizer": {"kind": "adamw", "learning_rate": 0.01, "epsilon": 1e-4, "weight_decay": 0.1},
    "schedule": {"warmup_steps": 3},
    "validation": {"every_steps": 4, "max_rows": 6},
    "checkpoints": {"every_steps": 2, "average": {"count": 2}},
    "ema_decay": 0.5,
}


class Runs:
    """Runs of the tiny dataset, below a folder."""

    def __init__(self, root: Path, values: Values) -> None:
        self.root, self._values = root, values
        self.killed_codes: list[list[int]] = []

    def job(self, name: str, processes: int, *changes: Values, steps: int = 8, **more: Any) -> Values:
        values = {**self._values, "output": str(self.root / name), "limits": {"max_steps": steps}}
        for change in changes:
            values |= change
        return {"values": values, "processes": processes, **more}

    def do(self, *jobs: Values) -> list[list[int]]:
        """The exit codes of their processes."""
        file = self.root / "jobs.json"
        file.write_text(json.dumps(jobs))
        command = [sys.executable, "-m", "tests.forked", str(file)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-6000:]
        codes: list[list[int]] = json.loads(done.stdout)
        for job, found in zip(jobs, codes, strict=True):
            assert not any(found) or "killed" in job, done.stderr[-6000:]
        return codes

    def losses(self, name: str, kind: str = "train") -> list[float]:
        rows = map(json.loads, (self.root / name / "metrics.jsonl").read_text().splitlines())
        return [row["loss"] for row in rows if row["kind"] == kind]

    def weights(self, name: str, model: str = "last") -> dict[str, torch.Tensor]:
        return dict(load_model(str(self.root / name / model)).model.state_dict())

    def assert_alike(self, name: str, other: str, most: float) -> None:
        assert len(self.losses(name)) == 8
        for kind in ("train", "validation"):
            assert self.losses(name, kind)[-2:] == pytest.approx(self.losses(other, kind)[-2:], abs=1e-5, rel=0)
        assert self.losses(name) == pytest.approx(self.losses(other), abs=1e-5, rel=0)
        for model in ("best", "last"):
            one, two = self.weights(name, model), self.weights(other, model)
            for key, weight in one.items():
                torch.testing.assert_close(
                    weight, two[key], atol=most, rtol=0, msg=lambda text, key=key: f"{key} {text}"
                )

    def files(self, name: str, step: int) -> list[str]:
        folder = self.root / name / "checkpoints" / f"step-{step:08d}"
        return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def runs(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All that the tests look at, done at once."""
    found = Runs(tmp_path_factory.mktemp("sharded"), {**tiny_training, **CHANGES})
    found.killed_codes = found.do(
        found.job("whole", 2),
        found.job("full", 2, FULL),
        found.job("hybrid", 4, HYBRID),
        found.job("moved", 4, FULL, steps=2),
        found.job("moved", 1, steps=3),
        found.job("moved", 2, FULL, steps=5),
        found.job("moved", 2, steps=6),
        found.job("moved", 4, HYBRID),
        found.job("killed", 2, FULL, killed=[1, 2]),  # of the other process the third part
        found.job("killed", 2, FULL, killed=[0, 8]),
        found.job("killed", 2, FULL),
        found.job("half", 2, FULL, BFLOAT16, steps=2),
        found.job("whole half", 2, BFLOAT16, steps=2),
    )[8:10]
    return found


@pytest.mark.parametrize("name", ["full", "hybrid", "moved"])
def test_spread_weights_learn_as_whole_ones_do(runs: Runs, name: str) -> None:
    runs.assert_alike(name, "whole", 1e-5)


def test_bfloat16_sums_gradients_in_float32(runs: Runs) -> None:
    assert runs.losses("half") == pytest.approx(runs.losses("whole half"), abs=0.02)
    assert runs.losses("half") != runs.losses("full")[:2]


def test_each_process_writes_its_part_and_who_comes_after_its_own_kind(runs: Runs) -> None:
    def parts(count: int) -> list[str]:
        return [f"part-{number:05d}-of-{count:05d}.safetensors" for number in range(count)]

    assert runs.files("moved", 2) == ["checkpoint.json", "index.json", *parts(4)]
    assert runs.files("moved", 3) == ["checkpoint.json", "model.safetensors", "optimizer.safetensors"]
    assert runs.files("moved", 5) == ["checkpoint.json", "index.json", *parts(2)]
    assert runs.files("moved", 8) == ["checkpoint.json", "index.json", *parts(4)]
    sizes = [path.stat().st_size for path in (runs.root / "moved/checkpoints/step-00000008").glob("part-*")]
    assert max(sizes) < 1.5 * min(sizes)


def test_killed_amid_a_checkpoint_of_parts_a_run_ends_in_the_same_bits(runs: Runs) -> None:
    first, second = runs.killed_codes
    assert first[1] == second[0] == -9
    assert all(first)
    assert all(second)
    assert runs.losses("killed") == runs.losses("full")
    one, other = runs.weights("killed"), runs.weights("full")
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())
    assert runs.files("killed", 8) == runs.files("full", 8)


def test_one_process_needs_no_sharding(runs: Runs) -> None:
    job = runs.job("alone", 1, FULL, steps=2)
    train(build(TrainConfig, job["values"]))
    assert runs.losses("alone") == pytest.approx(runs.losses("whole")[:2], abs=1e-5)
