from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoint import Checkpoints, Retention
from seq2seq_core.training.progress import Progress
from seq2seq_core.training.resume import check_same_run, find_resumption, identity_digest

IDENTITY = {"dataset_digest": "ab", "seed": 1, "optimizer.learning_rate": 0.1}


def test_the_first_difference_is_named_with_both_values_and_digests() -> None:
    theirs = {**IDENTITY, "seed": 2, "optimizer.learning_rate": 0.5}
    with pytest.raises(CheckpointError) as caught:
        check_same_run(theirs, IDENTITY, "runs/x")
    message = str(caught.value)
    assert "runs/x" in message
    assert "seed differs" in message
    assert f"found seed = 2 (run {identity_digest(theirs)})" in message
    assert f"expected seed = 1 (run {identity_digest(IDENTITY)})" in message


def test_a_key_only_one_side_has_is_a_difference() -> None:
    with pytest.raises(CheckpointError, match=r"new\.key differs"):
        check_same_run({**IDENTITY, "new.key": 1}, IDENTITY, "runs/x")
    with pytest.raises(CheckpointError, match=r"new\.key differs"):
        check_same_run(IDENTITY, {**IDENTITY, "new.key": 1}, "runs/x")


def test_the_latest_checkpoint_is_found_or_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"))
    assert find_resumption(checkpoints, IDENTITY, "never", str(tmp_path)) is None
    for step in (5, 10):
        checkpoints.save({}, Progress(step=step), IDENTITY, Retention(9, 9, {}))
    checkpoints.wait()
    marker = find_resumption(checkpoints, IDENTITY, "auto", str(tmp_path))
    assert marker is not None
    assert marker.progress.step == 10
    with pytest.raises(ConfigError, match="checkpoints of steps 5, 10"):
        find_resumption(checkpoints, IDENTITY, "never", str(tmp_path))
    with pytest.raises(CheckpointError, match="dataset_digest differs"):
        find_resumption(checkpoints, {**IDENTITY, "dataset_digest": "cd"}, "auto", str(tmp_path))
