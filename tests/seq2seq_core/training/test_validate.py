"""Validations that are left, killed or fail: what is done stays, and no run is stopped by them for good."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.errors import ModelError, TrainingError
from seq2seq_core.training import validate
from seq2seq_core.training.agreement import Turns
from seq2seq_core.training.exporter import Exporter
from seq2seq_core.training.recorders import JsonRecorder
from seq2seq_core.training.validate import Validator
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, rows, run

PIECES: Values = {"limits__max_steps": 10, "validation": {"every_steps": 5, "max_batch_tokens": 64}}
TIMES = ("seconds", "validation_seconds", "tokens_per_second", "data_wait", "teraflops", "peak_memory")


@pytest.fixture(scope="module")
def straight(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("straight") / "run"
    run(tiny_training, output, **PIECES)
    return output


def assert_same_end(one: Path, other: Path) -> None:
    for name in ("best", "last"):
        assert_same_weights(one / name, other / name)
    for kind in ("train", "validation"):
        found = [
            [{name: value for name, value in row.items() if name not in TIMES} for row in rows(output, kind)]
            for output in (one, other)
        ]
        assert found[0] == found[1]


class Killed(BaseException):
    """What no one catches."""


def once(act: Callable[[], None], original: Callable[..., Any], *, when: int = 0) -> Callable[..., Any]:
    """The function, with something that is done before one of its calls."""
    calls: list[None] = []

    def called(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) == when + 1:
            act()
        return original(*arguments, **options)

    return called


def killed() -> None:
    raise Killed


@pytest.mark.parametrize(
    ("place", "name"),
    [(Validator, "_losses"), (Validator, "_counts"), (JsonRecorder, "validation"), (Exporter, "export")],
)
@pytest.mark.parametrize("when", [0, 1])
def test_what_is_due_is_saved_before_the_validation_and_that_is_done_again(
    tiny_training: Values,
    tmp_path: Path,
    straight: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    when: int,
) -> None:
    monkeypatch.setattr(place, name, once(killed, getattr(place, name), when=when))
    with pytest.raises(Killed):
        run(tiny_training, tmp_path, **PIECES)
    step = 5 * (when + 1)
    assert (tmp_path / "checkpoints" / f"step-{step:08d}" / "checkpoint.json").exists()
    monkeypatch.undo()
    result = run(tiny_training, tmp_path, **PIECES)
    assert [validation.step for validation in result.state.validations] == [5, 10]
    assert_same_end(straight, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("when", [0, 2, 5, 8, 13, 19])
def test_a_signal_leaves_a_validation_between_two_batches(
    tiny_training: Values, tmp_path: Path, straight: Path, monkeypatch: pytest.MonkeyPatch, number: int, when: int
) -> None:
    meetings: list[None] = []
    original = Turns._meet

    def watched(self: Turns, **options: bool) -> bool:
        meetings.append(None)
        if len(meetings) == when + 1:
            os.kill(os.getpid(), number)
        return original(self, **options)

    monkeypatch.setattr(Turns, "_meet", watched)
    result = run(tiny_training, tmp_path, **PIECES)
    assert (result.reason, result.stopped_by, result.final) == ("signal", number, None)
    assert len(meetings) == when + 1
    monkeypatch.undo()
    run(tiny_training, tmp_path, **PIECES)
    assert_same_end(straight, tmp_path)


def test_there_are_as_many_meetings_as_the_signals_above_take_for_granted(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meetings: list[bool] = []
    original = Turns._meet

    def watched(self: Turns, **options: bool) -> bool:
        meetings.append(bool(options))
        return original(self, **options)

    monkeypatch.setattr(Turns, "_meet", watched)
    run(tiny_training, tmp_path, **PIECES, checkpoints__average={"count": 2})
    assert len(meetings) > 20  # in two validations and that of the average, in both parts of each


FAILURES = [torch.OutOfMemoryError("CUDA out of memory\nand more"), ModelError("the output is no number")]


@pytest.mark.parametrize("error", FAILURES, ids=["memory", "numbers"])
def test_a_validation_that_fails_is_told_and_does_not_stop_every_run(
    tiny_training: Values,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    original = Validator._losses

    def fail(self: Validator, model: Any) -> Any:
        if failing:
            raise error
        return original(self, model)

    failing = [True]
    monkeypatch.setattr(Validator, "_losses", fail)
    message = rf"^step 5: the validation failed; found {str(error).splitlines()[0]}\. The step is saved\. Lower "
    with pytest.raises(TrainingError, match=message + ".*tries it once more"):
        run(tiny_training, tmp_path, **PIECES)
    with pytest.raises(TrainingError, match=message + ".*goes on without this validation"):
        run(tiny_training, tmp_path, **PIECES)
    with pytest.raises(TrainingError, match=r"^step 10: the validation failed"):
        run(tiny_training, tmp_path, **PIECES)
    assert "step 5 is not validated: that failed 2 times" in caplog.messages
    failing.clear()
    result = run(tiny_training, tmp_path, **PIECES)
    assert [validation.step for validation in result.state.validations] == [10]


def test_a_failed_validation_is_tried_anew_with_smaller_batches(
    tiny_training: Values, tmp_path: Path, straight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("too little memory")

    monkeypatch.setattr(Validator, "_losses", fail)
    for _ in range(2):
        with pytest.raises(TrainingError, match="step 5: the validation failed"):
            run(tiny_training, tmp_path, limits__max_steps=10, validation={"every_steps": 5, "max_batch_tokens": 4096})
    monkeypatch.undo()
    run(tiny_training, tmp_path, **PIECES)
    assert_same_end(straight, tmp_path)


def test_a_run_ends_though_all_its_validations_fail(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("too little memory")

    monkeypatch.setattr(validate, "generate", fail)
    for _ in range(4):
        with pytest.raises(TrainingError, match="the validation failed"):
            run(tiny_training, tmp_path, **PIECES)
    result = run(tiny_training, tmp_path, **PIECES)
    assert (result.reason, result.state.step) == ("max_steps", 10)
    assert_same_weights(tmp_path / "best", tmp_path / "last")


def test_lost_patience_survives_a_kill_in_its_validation(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A rate far too high: the loss soon rises.
    changes: Values = {
        "limits__max_steps": 300,
        "optimizer__learning_rate": 2.0,
        "validation": {"every_steps": 3, "metric": "loss", "patience": 3},
    }
    ended = run(tiny_training, tmp_path / "straight", **changes)
    assert ended.reason == "patience"
    last = len(ended.state.validations) - 1
    monkeypatch.setattr(Validator, "_losses", once(killed, Validator._losses, when=last))
    with pytest.raises(Killed):
        run(tiny_training, tmp_path / "killed", **changes)
    monkeypatch.undo()
    again = run(tiny_training, tmp_path / "killed", **changes)
    assert (again.reason, again.state.step) == ("patience", ended.state.step)
    assert_same_end(tmp_path / "straight", tmp_path / "killed")
