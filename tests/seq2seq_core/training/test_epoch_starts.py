from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.data import loader
from seq2seq_core.data.epoch_order import OrderMaker
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import TrainResult, train

Values = dict[str, Any]


def run(values: Values, output: Path, steps: int) -> TrainResult:
    limits, no_validation = {"max_steps": steps}, {"every_steps": None, "metric": "loss"}
    changed = {**values, "output": str(output), "limits": limits, "validation": no_validation}
    return train(build(TrainConfig, {**changed, "loader": {"prefetch_batches": 0}}))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the epochs whose order is made."""
    numbers: list[int] = []
    inner = OrderMaker.make
    monkeypatch.setattr(OrderMaker, "make", lambda *a: numbers.append(a[1]) or inner(*a))  # type: ignore[func-returns-value]
    monkeypatch.setattr(loader, "_GATHER_TOKENS", 1)  # else small epochs are read many at once
    torch.set_num_threads(1)
    return numbers


def marker(output: Path, step: int) -> Path:
    return output / "checkpoints" / f"step-{step:08d}" / "checkpoint.json"


@pytest.mark.parametrize("ended", [9, 10, 11])
def test_a_resume_makes_no_epoch_before_its_own(
    tiny_training: Values, tmp_path: Path, made: list[int], ended: int
) -> None:
    """In the middle of an epoch as at its edges."""
    straight = run(tiny_training, tmp_path / "straight", ended + 2)
    epochs = sorted(set(made))
    run(tiny_training, tmp_path / "run", ended)
    kept = json.loads(marker(tmp_path / "run", ended).read_text())["progress"]
    assert kept["start"]["position"] <= kept["position"] == ended
    assert kept["start"]["epoch"] in (kept["epoch"], kept["epoch"] + 1)
    made.clear()
    resumed = run(tiny_training, tmp_path / "run", ended + 2)
    assert made == [epoch for epoch in epochs if epoch >= kept["start"]["epoch"]]
    assert kept["start"]["epoch"] > 1
    assert (resumed.state.start, resumed.state.epoch) == (straight.state.start, straight.state.epoch)


def test_a_checkpoint_of_an_earlier_version_is_gone_on_with(
    tiny_training: Values, tmp_path: Path, made: list[int]
) -> None:
    straight = run(tiny_training, tmp_path / "straight", 12)
    run(tiny_training, tmp_path / "run", 10)
    path = marker(tmp_path / "run", 10)
    values = json.loads(path.read_text())
    del values["progress"]["start"]
    path.write_text(json.dumps(values))
    made.clear()
    resumed = run(tiny_training, tmp_path / "run", 12)
    assert made[:3] == [0, 1, 2]
    assert resumed.state.start == straight.state.start
    one, other = (marker(tmp_path / name, 12).parent / "model.safetensors" for name in ("straight", "run"))
    assert one.read_bytes() == other.read_bytes()
