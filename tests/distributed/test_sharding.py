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
    "validation": {"every_steps": 3, "metric": "loss"},
    "checkpoints": {"every_steps": 2, "average": {"count": 1}},
    "ema_decay": 0.5,
}


class Runs:
    """Runs of the tiny dataset, below a folder."""

    def __init__(self, root: Path, values: Values) -> None:
        self.root, self._values = root, values

    def job(self, name: str, processes: int, *changes: Values, steps: int = 6, **more: Any) -> Values:
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

    def assert_alike(self, name: str, other: str) -> None:
        assert len(self.losses(name)) == 6
        assert self.losses(name) == pytest.approx(self.losses(other), abs=1e-5, rel=0)
        assert self.losses(name, "validation")[-1] == pytest.approx(self.losses(other, "validation")[-1], abs=1e-5)
        for model in ("best", "last"):
            one, two = self.weights(name, model), self.weights(other, model)
            for key, weight in one.items():
                torch.testing.assert_close(
                    weight, two[key], atol=1e-5, rtol=0, msg=lambda text, key=key: f"{key} {text}"
                )

    def files(self, name: str, step: int) -> list[str]:
        folder = self.root / name / "checkpoints" / f"step-{step:08d}"
        return sorted(path.name for path in folder.iterdir())


def begun(values: Values, root: Path) -> Runs:
    """Runs, and one among them that one process does, which holds all weights."""
    found = Runs(root, {**values, **CHANGES})
    train(build(TrainConfig, found.job("whole", 1)["values"]))
    return found


@pytest.fixture(scope="module")
def runs(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Besides, one that many take over from each other, with weights spread in all ways, and one of them is killed."""
    found = begun(tiny_training, tmp_path_factory.mktemp("moved"))
    train(build(TrainConfig, found.job("moved", 1, steps=1)["values"]))
    codes = found.do(
        found.job("moved", 2, FULL, steps=4, killed=[1, 1]),
        found.job("moved", 2, FULL, steps=4),
        found.job("moved", 4, HYBRID, steps=5),
    )
    assert codes[0][1] == -9
    assert codes[0][0]
    train(build(TrainConfig, found.job("moved", 1, FULL)["values"]))
    return found


def test_processes_with_parts_of_the_weights_and_with_all_take_over_from_each_other(runs: Runs) -> None:
    runs.assert_alike("moved", "whole")


def test_each_process_writes_its_part_and_who_comes_after_its_own_kind(runs: Runs) -> None:
    assert runs.files("moved", 1) == ["checkpoint.json", "model.safetensors", "optimizer.safetensors"]
    assert runs.files("moved", 4) == ["checkpoint.json", "index.json", *parts(2)]
    assert runs.files("moved", 5) == ["checkpoint.json", "index.json", *parts(4)]
    assert runs.files("moved", 6) == ["checkpoint.json", "model.safetensors", "optimizer.safetensors"]
    sizes = [path.stat().st_size for path in (runs.root / "moved/checkpoints/step-00000005").glob("part-*")]
    assert max(sizes) < 1.5 * min(sizes)


@pytest.mark.slow
def test_spread_weights_are_exact_and_learn_in_bfloat16_and_with_lora(
    tiny_training: Values, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = begun(tiny_training, tmp_path_factory.mktemp("slow"))
    adapted: Values = {"initialize_from": str(found.root / "whole" / "last"), "lora": {"rank": 2, "also": ["*norm*"]}}
    codes = found.do(
        found.job("full", 2, FULL),
        found.job("four", 4, FULL),
        found.job("killed", 2, FULL, killed=[1, 2]),  # of the second process the third part
        found.job("killed", 2, FULL, killed=[0, 8]),
        found.job("killed", 2, FULL),
        found.job("half", 2, FULL, BFLOAT16),
        found.job("whole half", 2, BFLOAT16),
        found.job("adapted", 2, adapted),
        found.job("adapted full", 2, adapted, FULL, steps=3),
        found.job("adapted full", 2, adapted, FULL),
    )
    assert codes[2][1] == codes[3][0] == -9
    found.assert_alike("full", "whole")
    found.assert_alike("four", "whole")
    found.assert_alike("adapted full", "adapted")
    assert found.losses("killed") == found.losses("full")
    one, other = found.weights("killed"), found.weights("full")
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())
    assert found.files("killed", 6) == found.files("full", 6)
    assert found.losses("half") == pytest.approx(found.losses("whole half"), abs=0.02)
    assert found.losses("half") != found.losses("full")


def parts(count: int) -> list[str]:
    return [f"part-{number:05d}-of-{count:05d}.safetensors" for number in range(count)]
