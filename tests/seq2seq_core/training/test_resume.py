from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints, Retention
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.resume import find_resumption

IDENTITY = {"dataset_digest": "ab", "seed": 1, "optimizer.learning_rate": 0.1}


def test_the_latest_checkpoint_is_found_or_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"), IDENTITY)
    assert find_resumption(checkpoints, IDENTITY, "never", str(tmp_path)) is None
    for step in (5, 10):
        checkpoints.save({}, RunState(step=step), Retention(9, 9, {}))
    checkpoints.wait()
    marker = find_resumption(checkpoints, IDENTITY, "auto", str(tmp_path))
    assert marker is not None
    assert marker.progress.step == 10
    with pytest.raises(ConfigError, match="checkpoints of steps 5, 10"):
        find_resumption(checkpoints, IDENTITY, "never", str(tmp_path))
    with pytest.raises(CheckpointError, match="dataset_digest differs"):
        find_resumption(checkpoints, {**IDENTITY, "dataset_digest": "cd"}, "auto", str(tmp_path))
