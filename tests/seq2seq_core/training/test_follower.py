"""A run whose dataset grows: what enters and when, told, done again, waited for and refused."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import CheckpointError, ConfigError, TrainingError
from seq2seq_core.models.card import read_card
from seq2seq_core.training.following.lineage import read_lineage
from seq2seq_core.training.optimization.step import Stepper, StepResult
from seq2seq_core.training.trainer import TrainResult
from tests.growing_rows import GrowingRows
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, rows, run

FOLLOWING: Values = {"follow": True, "following": {"look_seconds": 0.02}}
OFTEN: Values = {
    "checkpoints": {"every_steps": 5, "average": {"count": 1}},
    "validation": {"every_steps": 10, "metric": "loss"},
}


class Killed(BaseException):
    """Ends a run as a kill does: nothing is caught, nothing saved."""


@pytest.fixture
def growing(tiny_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrowingRows:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return GrowingRows(tiny_dataset, tmp_path / "dataset")


@pytest.fixture
def values(tiny_training: Values, growing: GrowingRows) -> Values:
    return {**tiny_training, "dataset": growing.root, "limits": {"max_steps": 40}, **OFTEN}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, Callable[[], None]]], list[int]]:
    """Do something before some steps; the target tokens of all steps."""

    def at(acts: dict[int, Callable[[], None]]) -> list[int]:
        tokens: list[int] = []

        def run(self: Stepper, step: int, batches: Any, target_tokens: int, *more: Any) -> StepResult:
            tokens.append(target_tokens)
            acts.pop(step, lambda: None)()
            return original(self, step, batches, target_tokens, *more)

        monkeypatch.setattr(Stepper, "run", run)
        return tokens

    original = Stepper.run
    return at


def seen(growing: GrowingRows, count: int, seed: int = 0) -> Callable[[], None]:
    """Add a generation, and give the run the time to see it."""

    def act() -> None:
        growing.grow(count, seed)
        time.sleep(0.3)

    return act


def killed() -> None:
    raise Killed


def segments(output: Path) -> tuple[Segment, ...]:
    lineage = read_lineage(str(output))
    assert lineage is not None
    return lineage.segments


def test_generations_enter_as_they_come_and_a_replay_ends_in_the_same_weights(
    growing: GrowingRows, values: Values, tmp_path: Path, at: Any
) -> None:
    at({8: seen(growing, 90), 19: seen(growing, 60)})
    result = run({**values, **FOLLOWING}, tmp_path / "run")
    entered = segments(tmp_path / "run")
    assert [(one.generation, one.rows) for one in entered] == [(0, 400), (1, 490), (2, 550)]
    assert entered[0].step == 0
    assert 8 <= entered[1].step < 19 <= entered[2].step < 40
    assert result.state.segments == entered
    assert entered[2].dataset == growing.dataset.manifest.digest
    assert read_card(str(tmp_path / "run" / "last"))[1].segments == entered
    for name, source in (("replay", "run"), ("of_a_model", "run/last")):
        run(values, tmp_path / name, replay=str(tmp_path / source))
        assert segments(tmp_path / name) == entered
        assert_same_weights(tmp_path / "run" / "last", tmp_path / name / "last")
        assert_same_weights(tmp_path / "run" / "best", tmp_path / name / "best")
        assert [r["loss"] for r in rows(tmp_path / name, "train")] == [
            r["loss"] for r in rows(tmp_path / "run", "train")
        ]
    with_all = run(values, tmp_path / "at_once")
    assert with_all.state.segments[0].rows == 550


def test_a_killed_run_does_again_what_it_did(growing: GrowingRows, values: Values, tmp_path: Path, at: Any) -> None:
    """Its checkpoint is older than the entry, and the next generation was there before it carried on."""
    at(
        {
            7: seen(growing, 90),
            14: lambda: shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000010"),
            15: killed,
        }
    )
    with pytest.raises(Killed):
        run({**values, **FOLLOWING}, tmp_path / "run")
    entered = segments(tmp_path / "run")
    assert [one.generation for one in entered] == [0, 1]
    growing.grow(50)
    at({})
    run(values, tmp_path / "run", limits__max_steps=20)
    assert segments(tmp_path / "run") == entered
    run({**values, **FOLLOWING}, tmp_path / "run")
    assert segments(tmp_path / "run")[:2] == entered
    assert 20 <= segments(tmp_path / "run")[2].step <= 40
    run(values, tmp_path / "replay", replay=str(tmp_path / "run"))
    assert_same_weights(tmp_path / "run" / "last", tmp_path / "replay" / "last")


def test_folded_generations_are_the_same_rows(growing: GrowingRows, values: Values, tmp_path: Path, at: Any) -> None:
    def fold() -> None:
        growing.fold()
        growing.grow(40)
        time.sleep(0.3)

    growing.grow(30)
    at({6: seen(growing, 90), 16: fold, 30: killed})
    with pytest.raises(Killed):
        run({**values, **FOLLOWING}, tmp_path / "run")
    assert [one.rows for one in segments(tmp_path / "run")] == [430, 520, 560]
    growing.fold()
    at({})
    run(values, tmp_path / "run")
    run(values, tmp_path / "replay", replay=str(tmp_path / "run"))
    assert_same_weights(tmp_path / "run" / "last", tmp_path / "replay" / "last")


def test_who_has_used_up_all_rows_waits_for_more(growing: GrowingRows, values: Values, tmp_path: Path, at: Any) -> None:
    """Each row once: those that come while the run waits, and those that come before."""
    tokens = at({3: seen(growing, 90)})
    limited = {**values, **FOLLOWING, "limits": {"max_epochs": 1}, "report_every_steps": 1}

    def waited() -> None:
        """Stands for a preparation that ends while the run waits."""
        steps = -1
        while steps < 1 or steps != len(tokens) or len(segments(tmp_path / "run")) < 2:
            steps = len(tokens)
            time.sleep(1)
        growing.grow(60)

    later = threading.Thread(target=waited)
    later.start()
    limited["following"] = {"look_seconds": 0.02, "idle_minutes": 0.1}
    result = run(limited, tmp_path / "run")
    later.join()
    assert result.reason == "max_epochs"
    assert [one.rows for one in segments(tmp_path / "run")] == [400, 490, 550]
    assert {one.epoch for one in segments(tmp_path / "run")} == {0}
    assert sum(tokens) == growing.target_tokens()
    replayed: TrainResult = run(values, tmp_path / "replay", replay=str(tmp_path / "run"), limits={"max_epochs": 1})
    assert replayed.state.step == result.state.step
    assert_same_weights(tmp_path / "run" / "last", tmp_path / "replay" / "last")


def test_a_finished_run_goes_on_when_it_follows(growing: GrowingRows, values: Values, tmp_path: Path, at: Any) -> None:
    tokens = at({})
    limited = {**values, "limits": {"max_epochs": 1}}
    run(limited, tmp_path / "run")
    growing.grow(100)
    run(limited, tmp_path / "run")
    assert [one.rows for one in segments(tmp_path / "run")] == [400]
    follows = {"follow": True, "following": {"look_seconds": 0.02, "idle_minutes": 0.05}}
    run({**limited, **follows}, tmp_path / "run")
    assert [(one.rows, one.epoch) for one in segments(tmp_path / "run")] == [(400, 0), (500, 0)]
    assert sum(tokens) == growing.target_tokens()


def test_a_signal_ends_the_wait(growing: GrowingRows, values: Values, tmp_path: Path) -> None:
    output = tmp_path / "run"

    def stop() -> None:
        until = time.monotonic() + 60
        while not list(output.glob("checkpoints/*/checkpoint.json")) and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    result = run({**values, **FOLLOWING, "checkpoints": {"every_steps": 999}}, output, limits={"max_epochs": 1})
    stopper.join()
    assert (result.reason, result.stopped_by) == ("signal", signal.SIGTERM)


def test_a_run_carries_on_with_what_it_began_with(growing: GrowingRows, values: Values, tmp_path: Path) -> None:
    run(values, tmp_path / "straight")
    run(values, tmp_path / "run", limits__max_steps=20)
    growing.grow(77)
    run(values, tmp_path / "run")
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "run" / "last")
    lineage = read_card(str(tmp_path / "run" / "last"))[1]
    assert lineage.segments == ()
    assert "segments" not in lineage.model_dump()


def test_another_dataset_is_refused(growing: GrowingRows, values: Values, tmp_path: Path, at: Any) -> None:
    run(values, tmp_path / "run", limits__max_steps=5)
    growing.replace(1)
    with pytest.raises(CheckpointError, match="dataset_digest differs"):
        run(values, tmp_path / "run")

    def replace() -> None:
        growing.replace(2)
        growing.grow(10)
        time.sleep(0.3)

    at({4: replace})
    with pytest.raises(TrainingError, match="the dataset is another one than when the run began"):
        run({**values, **FOLLOWING}, tmp_path / "other")


def test_a_changed_key_is_named_and_not_the_dataset(growing: GrowingRows, values: Values, tmp_path: Path) -> None:
    run(values, tmp_path / "run", limits__max_steps=5)
    growing.grow(10)
    with pytest.raises(CheckpointError, match="label_smoothing differs"):
        run(values, tmp_path / "run", label_smoothing=0.2)


def test_what_cannot_be_replayed_is_refused(growing: GrowingRows, values: Values, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing here says which generations entered"):
        run(values, tmp_path / "run", replay=str(tmp_path))
    run(values, tmp_path / "run", limits__max_steps=5)
    with pytest.raises(CheckpointError, match="what entered the run is not what the lineage says"):
        run(values, tmp_path / "other", replay=str(tmp_path / "run"), seed=2)
