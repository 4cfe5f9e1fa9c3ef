"""`seq2seq average` makes a model of a run's checkpoints, and touches nothing of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from pipelines.cli import main
from seq2seq_core.config import build
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import train


@pytest.fixture(scope="module")
def run(tiny_training: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "run"
    values = {**tiny_training, "output": str(output), "limits": {"max_steps": 8}, "ema_decay": 0.0}
    train(build(TrainConfig, {**values, "checkpoints": {"every_steps": 2}, "validation": {"metric": "loss"}}))
    return output


def mean(run: Path, steps: tuple[int, ...]) -> dict[str, torch.Tensor]:
    files = [run / "checkpoints" / f"step-{step:08d}" / "model.safetensors" for step in steps]
    sets = [safetensors.torch.load_file(file) for file in files]
    return {name: torch.stack([tensors[name] for tensors in sets]).double().mean(0).float() for name in sets[0]}


@pytest.mark.parametrize(("words", "steps"), [(["--count", "3"], (4, 6, 8)), (["--steps", "2", "8"], (2, 8))])
def test_the_model_holds_the_mean_of_the_checkpoints(
    run: Path, tmp_path: Path, words: list[str], steps: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "averaged"
    assert main(["average", "--run", str(run), "--output", str(output), *words]) == 0
    assert f"steps {', '.join(map(str, steps))}" in capsys.readouterr().out
    model = load_model(str(output))
    assert (model.lineage.step, model.lineage.averaged_steps, model.lineage.metrics) == (8, steps, {})
    expected = mean(run, steps)
    for name, weight in model.model.state_dict().items():
        torch.testing.assert_close(weight, expected[name], atol=1e-7, rtol=0)
    last = load_model(str(run / "last"))
    assert {side: one.digest for side, one in model.tokenizers.items()} == {
        side: one.digest for side, one in last.tokenizers.items()
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "9"], "at most 4"),
        (["--of", "best", "--count", "2"], "at most 1"),
        (["--steps", "3"], "some of 2, 4, 6, 8"),
        (["--output", "{run}/best"], "seq2seq accept"),
        (["--run", "{run}/checkpoints"], "the folder holds no run with a model"),
    ],
)
def test_what_cannot_be_averaged_is_told(
    run: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--run": str(run), "--output": str(tmp_path / "out")}
    given |= {words[i]: words[i + 1].format(run=run) for i in range(0, len(words), 2)}
    assert main(["average", *(word for pair in given.items() for word in pair)]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
