"""The end of a run, with all its checkpoints and with some of them gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.errors import CheckpointError
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.checkpoints.checkpoint import Checkpoints
from seq2seq_core.training.finish import Finisher
from seq2seq_core.training.trainer import TrainResult
from seq2seq_core.training.validate import Validator
from tests.processes import tree
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, run, weights

# A rate far too high: single checkpoints are noisy around their mean, and the best is seldom the last.
NOISY: Values = {"optimizer__learning_rate": 0.3, "validation": {"every_steps": 4, "metric": "loss"}}
ALONE: Values = {**NOISY, "checkpoints": {"every_steps": 4, "average": {"count": 1}}}
MEAN: Values = {**NOISY, "checkpoints": {"every_steps": 4, "average": {"count": 3}}}
LATEST: Values = {**NOISY, "checkpoints": {"every_steps": 4, "average": {"count": 3, "of": "last"}}}

Trained = Callable[[Values], tuple[Path, TrainResult]]


@pytest.fixture(scope="module")
def trained(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Runs that ended, each made once; a test gets a copy."""
    made: dict[str, tuple[Path, TrainResult]] = {}

    def trained(changes: Values) -> tuple[Path, TrainResult]:
        torch.set_num_threads(1)
        if (key := str(changes)) not in made:
            output = tmp_path_factory.mktemp("made") / "run"
            made[key] = output, run(tiny_training, output, **changes)
        output, result = made[key]
        copy = tmp_path_factory.mktemp("copy") / "run"
        shutil.copytree(output, copy)
        return copy, result

    return trained


def checkpoint(output: Path, step: int) -> Path:
    return output / "checkpoints" / f"step-{step:08d}"


def best_step(result: TrainResult) -> int:
    best = result.state.best("loss")
    assert best is not None
    assert best.step != result.state.step
    return best.step


def test_best_stays_where_its_checkpoint_is_gone(
    tiny_training: Values, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    output, result = trained(ALONE)
    shutil.rmtree(checkpoint(output, best_step(result)))
    shutil.rmtree(output / "last")  # so the end is made again
    before = tree(output / "best")
    with caplog.at_level("INFO"):
        again = run(tiny_training, output, **ALONE)
    assert again.final == result.final
    assert tree(output / "best") == before
    assert "best/ stays as it is: the checkpoints that it is made of are gone" in caplog.messages


@pytest.mark.parametrize("kind", ["gone", "damaged", "of another step"])
def test_without_it_and_best_the_best_that_is_there_is_taken_and_told(
    tiny_training: Values, trained: Trained, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    output, result = trained(ALONE)
    best = best_step(result)
    shutil.rmtree(checkpoint(output, best))
    if kind == "of another step":
        shutil.rmtree(output / "best")
        shutil.copytree(output / "last", output / "best")
    elif kind == "gone":
        shutil.rmtree(output / "best")
    else:
        (path,) = (output / "best").glob("model*.safetensors")
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    again = run(tiny_training, output, **ALONE)
    others = [validation for validation in result.state.validations if validation.step != best]
    second = min(others, key=lambda validation: validation.loss)
    assert again.final is not None
    assert again.final.steps == (second.step,)
    assert f"the checkpoint of step {best}, the best, is gone" in caplog.text
    assert f"that of step {second.step} is the best that is there" in caplog.text
    assert_same_weights(output / "best", checkpoint(output, second.step))


@pytest.mark.parametrize("changes", [MEAN, LATEST], ids=["best", "last"])
def test_an_average_stays_where_its_checkpoints_are_gone(
    tiny_training: Values, trained: Trained, changes: Values
) -> None:
    output, result = trained(changes)
    assert result.final is not None
    assert len(result.final.steps) == 3
    for step in result.final.steps:
        if step != result.state.step:
            shutil.rmtree(checkpoint(output, step))
    before = tree(output / "best")
    again = run(tiny_training, output, **changes)
    assert again.final is not None
    assert again.final.steps == result.final.steps
    assert tree(output / "best") == before


def test_an_average_without_one_of_its_members_is_told(
    tiny_training: Values, trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    output, result = trained(MEAN)
    assert result.final is not None
    shutil.rmtree(output / "best")
    gone = next(step for step in result.final.steps if step != result.state.step)
    shutil.rmtree(checkpoint(output, gone))
    with caplog.at_level("INFO"):
        run(tiny_training, output, **MEAN)
    assert f"not averaged, as their checkpoints are gone: steps {gone}" in caplog.messages
    assert any(message.startswith("averaging the checkpoints of steps") for message in caplog.messages)


def test_a_damaged_checkpoint_is_named_and_removing_it_is_enough(tiny_training: Values, trained: Trained) -> None:
    output, result = trained(ALONE)
    shutil.rmtree(output / "best")
    path = checkpoint(output, best_step(result)) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"found 1000 bytes.*Remove this checkpoint's folder"):
        run(tiny_training, output, **ALONE)
    shutil.rmtree(path.parent)
    assert run(tiny_training, output, **ALONE).final is not None


def test_what_is_averaged_is_read_one_file_after_the_other(
    tiny_training: Values, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, result = trained(MEAN)
    assert result.final is not None
    reading: list[tuple[int, str]] = []
    original = Checkpoints.tensors

    def watched(self: Checkpoints, step: int, name: str, *like: Any) -> Any:
        assert not reading
        reading.append((step, name))
        yield from original(self, step, name, *like)
        reading.clear()

    monkeypatch.setattr(Checkpoints, "tensors", watched)
    before = weights(output / "best")
    again = run(tiny_training, output, **MEAN)
    assert again.final is not None
    assert again.final.steps == result.final.steps
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(output / "best").items())


def test_a_checkpoint_of_another_run_is_not_averaged(tiny_training: Values, trained: Trained) -> None:
    output, result = trained(MEAN)
    other, _ = trained({**MEAN, "seed": 2})
    assert result.final is not None
    foreign = next(step for step in result.final.steps if step != result.state.step)
    shutil.rmtree(checkpoint(output, foreign))
    shutil.rmtree(output / "best")
    shutil.copytree(checkpoint(other, foreign), checkpoint(output, foreign))
    before = tree(checkpoint(output, foreign))
    again = run(tiny_training, output, **MEAN)
    assert again.final is not None
    assert foreign not in again.final.steps
    assert tree(checkpoint(output, foreign)) == before


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_model_of_another_run_is_never_replaced(tiny_training: Values, trained: Trained, name: str) -> None:
    output, _ = trained(ALONE)
    shutil.rmtree(output / "checkpoints")
    shutil.rmtree(output / ("last" if name == "best" else "best"))
    before = tree(output / name)
    with pytest.raises(CheckpointError, match=rf"{name}: the model is that of another run: seed differs"):
        run(tiny_training, output, **ALONE, seed=5)
    assert tree(output / name) == before
    again = run(tiny_training, output, **ALONE)  # the same run, from its beginning
    assert again.state.step == 20
    assert load_model(str(output / "best"))


def test_an_average_that_cannot_be_validated_is_not_used(
    tiny_training: Values, trained: Trained, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("too little memory")

    output, result = trained(MEAN)
    shutil.rmtree(output / "last")  # so the end is made again
    monkeypatch.setattr(Validator, "run", fail)
    again = run(tiny_training, output, **MEAN)
    assert again.final is not None
    assert again.final.steps == (best_step(result),)
    assert "the average cannot be validated, and is not used: too little memory" in caplog.text


def test_an_end_that_stands_is_told_and_not_made_again(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = run(tiny_training, tmp_path / "run", **MEAN)
    before = tree(tmp_path / "run" / "best")
    with monkeypatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(Finisher, "_make_end", None)
        again = run(tiny_training, tmp_path / "run", **MEAN)
    assert again.final is not None
    assert first.final is not None
    assert (again.final.steps, again.state) == (first.final.steps, first.state)
    assert "all is done: best/ and last/ stand in" in caplog.text
    assert not any("carrying on" in message or "averaging" in message for message in caplog.messages)
    next((tmp_path / "run" / "best").glob("*.safetensors")).unlink()
    run(tiny_training, tmp_path / "run", **MEAN)
    assert tree(tmp_path / "run" / "best") == before


def test_an_end_is_made_again_where_more_is_asked_for(tiny_training: Values, tmp_path: Path) -> None:
    short = run(tiny_training, tmp_path / "run", **ALONE, limits__max_steps=8)
    assert short.state.ended is not None
    longer = run(tiny_training, tmp_path / "run", **ALONE, limits__max_steps=12)
    assert (longer.state.step, longer.reason) == (12, "max_steps")
    assert longer.state.ended not in (None, short.state.ended)


def test_the_end_of_a_run_that_was_moved_stands(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(tiny_training, tmp_path / "run", **ALONE)
    (tmp_path / "run").rename(tmp_path / "moved")
    monkeypatch.setattr(Finisher, "_make_end", None)
    assert run(tiny_training, tmp_path / "moved", **ALONE).state == first.state
