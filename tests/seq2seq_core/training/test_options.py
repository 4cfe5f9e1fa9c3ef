"""Options of training change what they should, and leave a run exact: stopped and resumed it ends in the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import TrainResult, train

Values = dict[str, Any]

OPTIONS: dict[str, Values] = {
    "muon": {"optimizer": {"kind": "muon", "learning_rate": 0.005}, "ema_decay": 0.9},
    "adafactor": {
        "optimizer": {"kind": "adafactor", "learning_rate": 5.0},
        "schedule": {"kind": "plateau", "warmup_steps": 2, "plateau_patience": 1},
        "validation": {"every_steps": 2, "weights": {"bleu": 1, "loss": 10}, "keep_outputs": True, "max_rows": 5},
    },
}


def run(values: Values, output: Path, options: Values, steps: int) -> TrainResult:
    usual = {"validation": {"every_steps": 2, "metric": "loss"}, "checkpoints": {"average": {"count": 1}}}
    return train(
        build(TrainConfig, {**values, **usual, **options, "output": str(output), "limits": {"max_steps": steps}})
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(str(folder)).model.state_dict())


def rates(output: Path) -> list[float]:
    rows = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [row["learning_rate"] for row in rows if row["kind"] == "train"]


@pytest.fixture(scope="module")
def learned(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "learned"
    run(tiny_training, output, {}, 2)
    return output / "last"


def test_a_model_that_is_adapted_is_exact_and_leaves_whole_models(
    learned: Path, tiny_training: Values, tmp_path: Path
) -> None:
    lora = {"lora": {"rank": 2, "also": ["encoder_norm.*"]}, "ema_decay": 0.5, "initialize_from": str(learned)}
    run(tiny_training, tmp_path / "straight", lora, 4)
    run(tiny_training, tmp_path / "stopped", lora, 2)
    run(tiny_training, tmp_path / "stopped", lora, 4)
    before = weights(learned)
    one, other = weights(tmp_path / "straight" / "last"), weights(tmp_path / "stopped" / "last")
    assert all(torch.equal(weight, other[key]) for key, weight in one.items())
    moved = {name for name, weight in one.items() if not torch.equal(weight, before[name])}
    assert moved == {name for name in before if "attention" in name and name.endswith(".weight")} | {
        "encoder_norm.weight", "encoder_norm.bias",
    }  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_a_run_that_is_carried_on_ends_in_the_same_bits(name: str, tiny_training: Values, tmp_path: Path) -> None:
    straight = run(tiny_training, tmp_path / "straight", OPTIONS[name], 8)
    run(tiny_training, tmp_path / "stopped", OPTIONS[name], 4)
    resumed = run(tiny_training, tmp_path / "stopped", OPTIONS[name], 8)
    assert [v.loss for v in resumed.state.validations] == [v.loss for v in straight.state.validations]
    assert rates(tmp_path / "stopped") == rates(tmp_path / "straight")
    kept = sorted((tmp_path / "straight" / "validations").glob("*.txt"))
    assert [path.name for path in kept] == [f"step-{step:08d}.txt" for step in (2, 4, 6, 8) if name == "adafactor"]
    assert all(len(path.read_text().splitlines()) == 5 for path in kept)
    if name == "adafactor":  # at such a rate nothing gets better
        before = RunState(validations=straight.state.validations[:-1])
        assert rates(tmp_path / "straight")[-1] == 5.0 * 0.5 ** before.plateaus({"bleu": 1.0, "loss": 10.0}, 1)
        assert rates(tmp_path / "straight")[-1] < 5.0
    for model in ("best", "last"):
        one, other = weights(tmp_path / "straight" / model), weights(tmp_path / "stopped" / model)
        assert all(torch.equal(weight, other[key]) for key, weight in one.items())


def test_what_is_judged_and_kept_is_the_running_average(tiny_training: Values, tmp_path: Path) -> None:
    plain, averaged = (run(tiny_training, tmp_path / str(decay), {"ema_decay": decay}, 6) for decay in (0.0, 0.5))
    assert averaged.state.validations[0].loss != plain.state.validations[0].loss
    rows = [
        (tmp_path / name / "metrics.jsonl").read_text().splitlines()[0].split('"seconds"')[0] for name in ("0.0", "0.5")
    ]
    assert rows[0].split('"tokens_per_second"')[0] == rows[1].split('"tokens_per_second"')[0]
    one, other = weights(tmp_path / "0.0" / "last"), weights(tmp_path / "0.5" / "last")
    assert not torch.equal(one["embeddings.target.weight"], other["embeddings.target.weight"])
