from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints, Retention
from seq2seq_core.training.checkpoints.run_state import RunState
from seq2seq_core.training.optimization.step import Stepper, StepResult
from seq2seq_core.training.resume import find_resumption
from tests.seq2seq_core.training.test_trainer import Values, rows, run

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


def test_the_rate_after_a_restart_is_that_of_the_tokens_after_it(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: Values = {"limits__max_steps": 10, "report_every_steps": 10, "checkpoints": {"every_steps": 4}}
    original, tokens = Stepper.run, []

    def slow(self: Stepper, step: int, batches: Any, target_tokens: int, *more: Any) -> StepResult:
        tokens.append(target_tokens)
        time.sleep(0.05)
        if step == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, step, batches, target_tokens, *more)

    monkeypatch.setattr(Stepper, "run", slow)
    stopped = run(tiny_training, tmp_path, **changes)
    assert stopped.state.window.tokens > 0
    tokens.clear()
    run(tiny_training, tmp_path, **changes)
    (report,) = rows(tmp_path, "train")
    assert len(tokens) == 10 - stopped.state.step
    assert report["tokens_per_second"] <= sum(tokens) / (0.05 * len(tokens))
