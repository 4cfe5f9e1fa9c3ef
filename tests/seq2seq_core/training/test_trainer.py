from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from seq2seq_core import storage
from seq2seq_core.config import build, load
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.errors import CheckpointError, ConfigError, ModelError, TrainingError
from seq2seq_core.models.card import read_card
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.checkpoints.averaging import averaged
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.optimization.step import Stepper, StepResult
from seq2seq_core.training.trainer import TrainResult, train

Values = dict[str, Any]


def config(values: Values, output: Path | str, **changes: Any) -> TrainConfig:
    """The values with changes by dotted key (`limits__max_steps=5`)."""
    merged = json.loads(json.dumps({**values, "output": str(output)}))
    for name, value in changes.items():
        *path, last = name.split("__")
        place = merged
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return build(TrainConfig, merged)


def run(values: Values, output: Path | str, **changes: Any) -> TrainResult:
    return train(config(values, output, **changes))


def weights(folder: Path | str) -> dict[str, Tensor]:
    """Those of a model folder or a checkpoint."""
    if storage.exists(f"{folder}/config.json"):
        return dict(load_model(str(folder)).model.state_dict())
    return safetensors.torch.load(storage.read_bytes(f"{folder}/model.safetensors"))


def assert_same_weights(one: Path | str, other: Path | str) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def rows(output: Path, kind: str) -> list[dict[str, Any]]:
    lines = (output / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def model_files(output: Path) -> dict[str, bytes]:
    paths = [path for name in ("best", "last") for path in (output / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(output)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def learned(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    output = tmp_path_factory.mktemp("learned")
    changes = {"limits__max_steps": 240, "validation__every_steps": 60, "report_every_steps": 20}
    changes |= {"checkpoints__keep_best": 2, "checkpoints__keep_last": 1, "checkpoints__average": {"count": 2}}
    return output, run(tiny_training, output, **changes)


def test_a_small_model_learns_a_small_language(learned: tuple[Path, TrainResult]) -> None:
    output, result = learned
    assert result.reason == "max_steps"
    assert result.stopped_by is None
    assert result.final is not None
    assert result.final.validation is not None
    assert result.final.validation.bleu is not None
    assert result.final.validation.bleu > 60
    losses = [row["loss"] for row in rows(output, "train")]
    assert losses[-1] < losses[0] / 3
    assert [row["step"] for row in rows(output, "train")] == list(range(20, 241, 20))


def test_validations_are_recorded_with_their_scores(learned: tuple[Path, TrainResult]) -> None:
    output, result = learned
    found = rows(output, "validation")
    assert [row["step"] for row in found] == [60, 120, 180, 240]
    assert found[-1]["bleu"] > found[0]["bleu"]
    assert [row["loss"] for row in found] == [v.loss for v in result.state.validations]


def test_both_models_can_be_loaded_and_tell_where_they_come_from(learned: tuple[Path, TrainResult]) -> None:
    output, result = learned
    last = load_model(str(output / "last"))
    assert (last.lineage.step, last.lineage.run, last.lineage.averaged_steps) == (240, output.name, ())
    best = load_model(str(output / "best"))
    assert result.final is not None
    steps = result.final.steps
    assert best.lineage.step == steps[-1]
    assert best.lineage.averaged_steps == (steps if len(steps) > 1 else ())
    assert best.lineage.configuration["output"] == str(output)
    assert result.final.validation is not None
    assert best.lineage.metrics["bleu"] == result.final.validation.bleu


def test_only_the_last_and_the_best_checkpoints_are_left(learned: tuple[Path, TrainResult]) -> None:
    output, result = learned
    by_score = sorted(result.state.validations, key=lambda v: v.score("bleu"), reverse=True)
    expected = {240, *(v.step for v in by_score[:2])}
    assert {int(p.name.removeprefix("step-")) for p in (output / "checkpoints").iterdir()} == expected


def test_the_resolved_configuration_is_kept(learned: tuple[Path, TrainResult]) -> None:
    output, _ = learned
    kept = load(TrainConfig, str(output / "config.yaml"))
    assert kept.limits.max_steps == 240
    assert kept.optimizer.beta2 == 0.98


def test_a_finished_run_is_left_as_it_is(learned: tuple[Path, TrainResult]) -> None:
    output, result = learned
    before, metrics = weights(output / "best"), (output / "metrics.jsonl").read_bytes()
    models, digests = model_files(output), [read_card(str(output / name))[0].digest for name in ("best", "last")]
    again = train(load(TrainConfig, str(output / "config.yaml")))
    assert model_files(output) == models
    assert [read_card(str(output / name))[0].digest for name in ("best", "last")] == digests
    assert again.state == result.state
    assert again.final is not None
    assert result.final is not None
    assert again.final.steps == result.final.steps
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(output / "best").items())
    assert (output / "metrics.jsonl").read_bytes() == metrics


def test_a_finished_run_ends_in_the_same_model_whatever_has_changed_around_it(
    learned: tuple[Path, TrainResult], tmp_path: Path
) -> None:
    """Its lineage may be another one, told from another place; the model is not."""
    shutil.copytree(learned[0], tmp_path / "moved")
    digest = read_card(str(tmp_path / "moved" / "best"))[0].digest
    settings = load(
        TrainConfig, str(learned[0] / "config.yaml"), {"output": str(tmp_path / "moved"), "report_every_steps": 7}
    )
    train(settings)
    card, lineage = read_card(str(tmp_path / "moved" / "best"))
    assert lineage.configuration["report_every_steps"] == 7
    assert card.digest == digest
    assert len(model_files(tmp_path / "moved")) == len(model_files(learned[0]))


@pytest.mark.parametrize("name", ["best/config.json", "last/model.safetensors"])
def test_files_of_someone_else_where_a_model_would_go_are_refused_before_training(
    tiny_training: Values, tmp_path: Path, name: str
) -> None:
    storage.publish_text(str(tmp_path / name), '{"model_type": "marian"}')
    with pytest.raises(ModelError, match=f"{name.split('/')[0]}.*Move it.* away, or choose another output folder"):
        run(tiny_training, tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [name]


@pytest.mark.parametrize("family", ["transformer", "rnn"])
def test_a_run_carried_on_ends_in_the_same_bits(tiny_training: Values, tmp_path: Path, family: str) -> None:
    shapes: dict[str, Values] = {
        "transformer": {**tiny_training["model"], "dropout": 0.2},
        "rnn": {"family": "rnn", "width": 16, "embedding_width": 16, "dropout": 0.2},
    }
    values = {**tiny_training, "model": shapes[family], "report_every_steps": 7}
    if family == "rnn":
        values["data"] = {**values["data"], "batch_tokens": 264, "bins_per_batch": 2}
    changes = {"validation__every_steps": 6, "checkpoints__every_steps": 4}
    run(values, tmp_path / "straight", limits__max_steps=14, **changes)
    for steps in (5, 6, 13, 14):
        run(values, tmp_path / "pieces", limits__max_steps=steps, **changes)
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "pieces" / "last")
    effort = ("seconds", "tokens_per_second", "padding", "data_wait", "teraflops", "peak_memory")
    straight, pieces = (
        [{name: value for name, value in row.items() if name not in effort} for row in rows(tmp_path / name, "train")]
        for name in ("straight", "pieces")
    )
    assert straight == pieces
    assert [row["step"] for row in pieces] == [7, 14]


def test_noise_and_two_passes_are_drawn_again_when_a_run_carries_on(tiny_training: Values, tmp_path: Path) -> None:
    noise = {"sample_segmentation": "both", "unigram_alpha": 0.1, "word_dropout": {"source": 0.1, "target": 0.1}}
    model = {**tiny_training["model"], "dropout": 0.2}
    changes: Values = {"model": model, "r_drop": 1.0, "noise": noise}
    run(tiny_training, tmp_path / "straight", limits__max_steps=9, **changes)
    for steps in (4, 9):
        run(tiny_training, tmp_path / "pieces", limits__max_steps=steps, **changes)
    run(tiny_training, tmp_path / "stored", limits__max_steps=9, **changes | {"noise": {}})
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "pieces" / "last")
    losses = {
        name: [row["loss"] for row in rows(tmp_path / name, "train")] for name in ("straight", "pieces", "stored")
    }
    assert losses["straight"] == losses["pieces"] != losses["stored"]
    assert read_card(str(tmp_path / "stored" / "last"))[1].configuration.get("noise") is None


def test_epochs_end_a_run_and_set_its_validations(tiny_training: Values, tmp_path: Path) -> None:
    limits = {"max_steps": None, "max_epochs": 4}
    result = run(
        tiny_training, tmp_path, limits=limits, validation={"every_steps": None, "every_epochs": 2, "metric": "loss"}
    )
    assert result.reason == "max_epochs"
    epochs = [row["epoch"] for row in rows(tmp_path, "train")]
    assert epochs == sorted(epochs)
    assert set(epochs) == {0, 1, 2, 3}
    ends = [max(row["step"] for row in rows(tmp_path, "train") if row["epoch"] == epoch) for epoch in (1, 3)]
    assert [row["step"] for row in rows(tmp_path, "validation")] == ends
    assert rows(tmp_path, "validation")[0]["bleu"] is None


def test_lost_patience_ends_a_run_and_the_best_model_is_kept(tiny_training: Values, tmp_path: Path) -> None:
    # A rate far too high: the loss soon rises.
    result = run(
        tiny_training,
        tmp_path,
        limits__max_steps=300,
        optimizer__learning_rate=2.0,
        validation={"every_steps": 3, "metric": "loss", "patience": 3},
        checkpoints__average={"count": 1},
    )
    assert result.reason == "patience"
    assert result.final is not None
    best = min(result.state.validations, key=lambda v: v.loss)
    assert result.final.steps == (best.step,)
    assert result.state.step == best.step + 9
    assert_same_weights(tmp_path / "best", tmp_path / "checkpoints" / f"step-{best.step:08d}")


def test_minutes_count_over_all_resumptions(tiny_training: Values, tmp_path: Path) -> None:
    limits = {"max_steps": None, "max_minutes": 0.02}
    result = run(tiny_training, tmp_path, limits=limits)
    assert result.reason == "max_minutes"
    assert 1.2 <= result.state.seconds < 30
    again = run(tiny_training, tmp_path, limits=limits)
    assert again.state.step == result.state.step


def test_without_a_valid_split_the_latest_weights_become_the_model(
    tiny_training: Values, tmp_path: Path, caplog: pytest.LogCaptureFixture, publish_tiny: Callable[..., Manifest]
) -> None:
    root = str(tmp_path / "dataset")
    publish_tiny(root, {"train": 100})
    values = {**tiny_training, "dataset": root}
    with caplog.at_level("INFO"):
        result = run(values, tmp_path / "run", limits__max_steps=4, checkpoints__average={"count": 1})
    assert "no validation: the dataset has no valid split; the latest weights become the model" in caplog.messages
    assert result.final is not None
    assert result.final.steps == (4,)
    assert_same_weights(tmp_path / "run" / "best", tmp_path / "run" / "last")


def test_the_average_of_the_last_checkpoints_wins_where_it_is_better(tiny_training: Values, tmp_path: Path) -> None:
    # A rate far too high makes single checkpoints noisy around their mean.
    changes: Values = {"checkpoints": {"every_steps": 2, "average": {"count": 4, "of": "last"}}}
    result = run(tiny_training, tmp_path, **changes, optimizer__learning_rate=0.3, validation__metric="loss")
    assert result.final is not None
    mean = averaged(weights(tmp_path / "checkpoints" / f"step-{step:08d}").items() for step in (14, 16, 18, 20))
    single = result.state.best("loss")
    assert single is not None
    assert result.final.validation is not None
    assert result.final.steps == (14, 16, 18, 20)
    assert result.final.validation.loss < single.loss
    assert all(torch.equal(tensor, mean[name]) for name, tensor in weights(tmp_path / "best").items())
    assert load_model(str(tmp_path / "best")).lineage.averaged_steps == (14, 16, 18, 20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_same_command_carries_on(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    values = {**tiny_training, "model": {**tiny_training["model"], "dropout": 0.1}}
    changes: Values = {"limits__max_steps": 12, "validation__every_steps": 5, "validation__metric": "loss"}
    run(values, tmp_path / "straight", **changes)
    original = Stepper.run

    def interrupted(self: Stepper, step: int, *arguments: Any) -> StepResult:
        if step == 5:
            os.kill(os.getpid(), number)
        return original(self, step, *arguments)

    monkeypatch.setattr(Stepper, "run", interrupted)
    result = run(values, tmp_path / "stopped", **changes)
    assert (result.reason, result.stopped_by, result.final) == ("signal", number, None)
    assert result.state.step in (5, 6)
    monkeypatch.undo()
    result = run(values, tmp_path / "stopped", **changes)
    assert [v.step for v in result.state.validations] == [5, 10, 12]
    assert_same_weights(tmp_path / "straight" / "best", tmp_path / "stopped" / "best")
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "stopped" / "last")


def test_steps_that_are_not_finite_are_skipped_and_counted(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, {3, 4})
    result = run(tiny_training, tmp_path, limits__max_steps=8)
    assert (result.state.step, result.state.skipped, result.state.skipped_in_a_row) == (8, 2, 0)
    assert [row["step"] for row in rows(tmp_path, "train")] == [1, 2, 5, 6, 7, 8]
    assert rows(tmp_path, "train")[-1]["skipped"] == 2
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path / "last").values())


def test_steps_that_stay_not_finite_end_the_run(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, set(range(3, 100)))
    with pytest.raises(TrainingError, match=r"step 6: 4 steps in a row .* found loss nan .* at most 3 .* Lower"):
        run(tiny_training, tmp_path, max_skipped_in_a_row=3)


def poison(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """Let the loss of these steps be no number."""
    original, now = Stepper.run, [0]
    losses = Stepper._losses

    def counted(self: Stepper, step: int, *arguments: Any) -> StepResult:
        now[0] = step
        return original(self, step, *arguments)

    def poisoned(self: Stepper, batch: Any) -> tuple[Tensor, ...]:
        factor = float("nan") if now[0] in steps else 1.0
        return tuple(loss * factor for loss in losses(self, batch))

    monkeypatch.setattr(Stepper, "run", counted)
    monkeypatch.setattr(Stepper, "_losses", poisoned)


def test_another_configuration_is_refused_and_higher_limits_are_not(tiny_training: Values, tmp_path: Path) -> None:
    run(tiny_training, tmp_path, limits__max_steps=2, validation__metric="loss")
    with pytest.raises(CheckpointError, match=r"optimizer\.learning_rate differs; found .*0\.005 .* expected .*0\.1 "):
        run(tiny_training, tmp_path, optimizer__learning_rate=0.1, validation__metric="loss")
    with pytest.raises(ConfigError, match="holds checkpoints already"):
        run(tiny_training, tmp_path, resume="never", validation__metric="loss")
    free: Values = {"limits__max_steps": 3, "checkpoints__every_steps": 1, "report_every_steps": 2}
    assert run(tiny_training, tmp_path, **free, validation__metric="loss").state.step == 3


def test_another_dataset_is_refused(
    tiny_training: Values, tmp_path: Path, publish_tiny: Callable[..., Manifest]
) -> None:
    run(tiny_training, tmp_path / "run", limits__max_steps=1, validation__metric="loss")
    other = str(tmp_path / "other")
    publish_tiny(other, {"train": 50, "valid": 4}, seed=3)
    with pytest.raises(CheckpointError, match="dataset_digest differs"):
        run({**tiny_training, "dataset": other}, tmp_path / "run", validation__metric="loss")


def test_positions_that_are_too_few_are_told_before_training(tiny_training: Values, tmp_path: Path) -> None:
    learned_positions = {**tiny_training["model"], "positions": "learned", "max_positions": 32}
    with pytest.raises(ConfigError, match=r"max_positions: .* found 32; expected 33 or more"):
        run({**tiny_training, "model": learned_positions}, tmp_path)


def test_training_goes_on_from_a_model_folder(
    tiny_training: Values, tmp_path: Path, learned: tuple[Path, TrainResult]
) -> None:
    output, _ = learned
    result = run(
        tiny_training,
        tmp_path,
        initialize_from=str(output / "best"),
        limits__max_steps=1,
        optimizer__learning_rate=1e-9,
    )
    assert result.state.step == 1
    assert rows(tmp_path, "train")[0]["nll"] < 0.5
    shape = {**tiny_training["model"], "feed_forward_width": 48}
    with pytest.raises(ConfigError, match="does not fit this model"):
        run({**tiny_training, "model": shape}, tmp_path / "other", initialize_from=str(output / "best"))


def test_the_folder_of_a_run_is_no_model_to_begin_with(
    tiny_training: Values, tmp_path: Path, learned: tuple[Path, TrainResult]
) -> None:
    output, _ = learned
    with pytest.raises(ModelError, match=rf"{output}: this is a run folder.*Name {output}/best"):
        run(tiny_training, tmp_path, initialize_from=str(output))


def test_a_model_with_another_tokenizer_is_no_beginning(
    tiny_training: Values, tmp_path: Path, learned: tuple[Path, TrainResult], publish_tiny: Callable[..., Manifest]
) -> None:
    other = str(tmp_path / "other")
    publish_tiny(other, {"train": 60}, seed=5)
    with pytest.raises(ConfigError, match="source tokenizer of initialize_from is not that of the dataset"):
        run({**tiny_training, "dataset": other}, tmp_path / "run", initialize_from=str(learned[0] / "best"))


def test_a_run_folder_may_be_an_object_store(tiny_training: Values, tmp_path: Path) -> None:
    output = f"memory://runs/{tmp_path.name}"
    changes: Values = {"validation__metric": "loss", "checkpoints__every_steps": 2}
    run(tiny_training, output, limits__max_steps=3, **changes)
    run(tiny_training, output, limits__max_steps=6, **changes)
    run(tiny_training, tmp_path, limits__max_steps=6, **changes)
    assert_same_weights(tmp_path / "last", f"{output}/last")
