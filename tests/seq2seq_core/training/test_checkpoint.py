from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from seq2seq_core import storage
from seq2seq_core.config import build
from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoint import MARKER_NAME, MODEL_FILE, CheckpointConfig, Checkpoints, Retention
from seq2seq_core.training.progress import Progress

IDENTITY = {"seed": 1}
ALL = Retention(last=100, best=1, scores={})


def files(value: float) -> dict[str, dict[str, torch.Tensor]]:
    return {MODEL_FILE: {"w": torch.full((3, 2), value), "n": torch.tensor(7)}}


def saved(root: str, *steps: int, retention: Retention = ALL) -> Checkpoints:
    checkpoints = Checkpoints(root, IDENTITY)
    for step in steps:
        checkpoints.save(files(float(step)), Progress(step=step, position=step), retention)
    checkpoints.wait()
    return checkpoints


@pytest.mark.parametrize("scheme", ["local", "memory"])
def test_what_is_saved_is_read_back(tmp_path: Path, scheme: str) -> None:
    root = str(tmp_path / "checkpoints") if scheme == "local" else f"memory://{tmp_path.name}/checkpoints"
    checkpoints = saved(root, 5, 10)
    assert checkpoints.steps() == [5, 10]
    marker = checkpoints.marker(10)
    assert marker.progress == Progress(step=10, position=10)
    assert marker.identity == {"seed": 1}
    tensors = dict(checkpoints.tensors(10, MODEL_FILE))
    assert torch.equal(tensors["w"], torch.full((3, 2), 10.0))
    assert tensors["n"].item() == 7


def test_saving_copies_so_that_training_may_go_on(tmp_path: Path) -> None:
    checkpoints, weights = Checkpoints(str(tmp_path), IDENTITY), torch.ones(4)
    checkpoints.save({MODEL_FILE: {"w": weights}}, Progress(step=1), ALL)
    weights.zero_()
    checkpoints.wait()
    assert torch.equal(dict(checkpoints.tensors(1, MODEL_FILE))["w"], torch.ones(4))


def test_a_folder_without_marker_is_no_checkpoint_and_is_swept(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 5, 10)
    (tmp_path / "step-00000010" / MARKER_NAME).unlink()
    (tmp_path / "step-00000020").mkdir()
    (tmp_path / "notes").mkdir()
    assert checkpoints.steps() == [5]
    checkpoints.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "step-00000005"]


def test_the_latest_and_the_best_stay(tmp_path: Path) -> None:
    retention = Retention(last=2, best=2, scores={1: (9.0, 0.0), 2: (5.0, 0.0), 3: (9.0, 0.0), 4: (1.0, 0.0)})
    assert saved(str(tmp_path), 1, 2, 3, 4, 5, 6, retention=retention).steps() == [1, 3, 5, 6]


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    checkpoints = saved(str(tmp_path), 5)
    path = tmp_path / "step-00000005" / MODEL_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="not the one that was saved"):
        dict(checkpoints.tensors(5, MODEL_FILE))


@pytest.mark.parametrize("text", ["{", json.dumps({"format_version": 1}), json.dumps([])])
def test_a_damaged_marker_is_named(tmp_path: Path, text: str) -> None:
    checkpoints = saved(str(tmp_path), 5)
    (tmp_path / "step-00000005" / MARKER_NAME).write_text(text)
    with pytest.raises(CheckpointError, match=r"step-00000005/checkpoint\.json"):
        checkpoints.marker(5)


def test_an_error_of_the_background_writing_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, data: bytes) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(storage, "publish_bytes", refuse)
    checkpoints = Checkpoints(str(tmp_path), IDENTITY)
    checkpoints.save(files(1.0), Progress(step=1), ALL)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.wait()
    assert checkpoints.steps() == []


def test_more_averaged_than_kept_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"average.count \(5\) is more than keep_last \(2\)"):
        build(CheckpointConfig, {"keep_last": 2, "average": {"count": 5, "of": "last"}})
    build(CheckpointConfig, {"keep_last": 2, "average": {"count": 5, "of": "best"}})
