"""Training on a source that is no text: steps, validation, models, and what a run may begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.data.batch import idle_batch
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.decoding.batched import generate
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ConfigError
from seq2seq_core.metrics.translation import TranslationMetric
from seq2seq_core.models.folder import load_model
from seq2seq_core.models.registry import build_model
from seq2seq_core.training.initializing import initialize
from seq2seq_core.training.materials import gather_materials
from seq2seq_core.training.optimization.loss import Objective
from seq2seq_core.training.optimization.optimizer import Optimizers
from seq2seq_core.training.optimization.step import Stepper
from seq2seq_core.training.processes.distributed import World
from tests.points import publish_points
from tests.seq2seq_core.training.test_trainer import Values, config, rows, run
from tests.toy_modality import Points

RNN = {"family": "rnn", "embedding_width": 32, "width": 32, "dropout": 0.0}
SPEECH = {
    "family": "speech",
    "width": 16,
    "heads": 2,
    "feed_forward_width": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "subsampling": 2,
    "front_channels": 4,
    "convolution_kernel": 3,
}
SPELL = {"family": "speech", "encoder": "lstm", "width": 16, "encoder_layers": 1, "decoder_layers": 1, "subsampling": 2}


@pytest.fixture
def values(tiny_training: Values, points_dataset: str) -> Values:
    model = {**tiny_training["model"], "tie_embeddings": "target"}
    return {**tiny_training, "dataset": points_dataset, "model": model}


def test_a_model_learns_what_points_are_called(values: Values, points_dataset: str, tmp_path: Path) -> None:
    result = run(values, tmp_path / "run", limits__max_steps=200, validation__every_steps=100)
    scores = [validation.bleu for validation in result.state.validations]
    assert scores[-1] > max(50, scores[0] / 2)
    dataset, loaded = Dataset.open(points_dataset), load_model(str(tmp_path / "run" / "best"))
    table = dataset.read_shard(dataset.split("valid").shards[1])
    column = table.column("source")
    sources = [loaded.modality.flat(column.slice(row, 1)) for row in range(len(column))]
    found = generate(loaded.model, loaded.modality, sources, SearchConfig(beam=2), 1000)
    texts = loaded.tokenizers["target"].decode([hypotheses[0].tokens for hypotheses in found])
    metric = TranslationMetric("13a")
    assert metric.scores(metric.sums(texts, table.column("target_text").to_pylist())).bleu > 50


def test_what_is_not_said_follows_from_the_source(values: Values, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Points, "longest", 77)
    monkeypatch.setattr(Points, "metric", "wer")
    data = {"batch_tokens": 4096, "max_target_tokens": 32}
    dataset = Dataset.open(values["dataset"])
    found = gather_materials(config({**values, "data": data}, tmp_path), torch.device("cpu"), (dataset,)).config
    assert found.data.max_source_tokens == 77
    assert found.validation.metric == "wer"
    said = gather_materials(config(values, tmp_path, data__max_source_tokens=9), torch.device("cpu"), (dataset,)).config
    assert said.data.max_source_tokens == 9


@pytest.mark.parametrize("model", [RNN, SPEECH, SPELL], ids=["rnn", "conformer", "lstm"])
def test_other_families_and_a_resumed_run(values: Values, tmp_path: Path, model: Values) -> None:
    changes: Values = {"model": model, "validation": {"every_steps": 2}}
    run(values, tmp_path / "straight", limits__max_steps=4, **changes)
    for steps in (2, 4):
        run(values, tmp_path / "resumed", limits__max_steps=steps, **changes)
    states = [load_model(str(tmp_path / name / "last")).model.state_dict() for name in ("straight", "resumed")]
    assert all(torch.equal(weight, states[1][name]) for name, weight in states[0].items())


@pytest.mark.parametrize("family", ["transformer", "rnn"])
def test_no_rows_give_no_loss_and_no_movement(values: Values, points_dataset: str, family: str, tmp_path: Path) -> None:
    side = Dataset.open(points_dataset).manifest.sides["source"]
    changes = {"model": RNN} if family == "rnn" else {}
    network = build_model(config(values, tmp_path, **changes).model, side.encoder_input, 30)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    world = World(rank=0, size=1, local_size=1, device=torch.device("cpu"))
    optimizer = Optimizers([torch.optim.SGD(network.parameters(), lr=1.0)])
    stepper = Stepper(
        network,
        optimizer,
        world,
        idle_batch(side),
        objective=Objective(0.1),
        clip_norm=None,
        precision="float32",
        seed=1,
    )
    result = stepper.run(1, [], 10, [])
    assert (result.loss, result.nll, result.gradient_norm, result.updated) == (0.0, 0.0, 0.0, True)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_a_run_begins_with_a_model_of_the_same_source_alone(
    values: Values, tiny_training: Values, tiny_dataset: str, tmp_path: Path
) -> None:
    first = str(tmp_path / "first")
    run(values, first, limits__max_steps=1, validation__metric="loss")
    run(values, tmp_path / "next", initialize_from=f"{first}/best", limits__max_steps=1, validation__metric="loss")
    with pytest.raises(ConfigError, match=r"the source of initialize_from is not what.*found points; expected text"):
        run({**tiny_training, "dataset": tiny_dataset}, tmp_path / "text", initialize_from=f"{first}/best")


def test_reports_name_the_loss_of_the_second_head(values: Values, tmp_path: Path) -> None:
    run(values, tmp_path / "one", model=RNN, limits__max_steps=2, validation__metric="loss")
    assert "auxiliary" not in rows(tmp_path / "one", "train")[0]
    slow = str(tmp_path / "slow")
    publish_points(slow, {"train": 60, "valid": 8}, repeats=16)
    changes: Values = {"dataset": slow, "label_smoothing": 0.0, "data__max_source_tokens": 100}
    run(values, tmp_path / "two", model=SPEECH, limits__max_steps=2, validation__metric="loss", **changes)
    for row in rows(tmp_path / "two", "train"):
        assert row["loss"] == pytest.approx(0.7 * row["nll"] + 0.3 * row["auxiliary"], rel=1e-6)
        assert row["auxiliary"] > 0


def test_numbers_that_mean_something_else_are_refused(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(values, tmp_path / "first", limits__max_steps=1, validation__metric="loss")
    second = config(values, tmp_path / "second")
    gathered = gather_materials(second, torch.device("cpu"), (Dataset.open(second.dataset),))
    meanings = iter([{"rate": 8000, "mels": 40}, {"rate": 8000, "mels": 80}])  # of the model, and of the dataset
    monkeypatch.setattr(Points, "meaning", property(lambda _: next(meanings)))
    with pytest.raises(ConfigError, match=r"reads its source in another way.*found mels 40; expected mels 80"):
        initialize(gathered.model, gathered.dataset, str(tmp_path / "first" / "best"))


def test_an_encoder_serves_another_vocabulary_and_decoder(values: Values, tmp_path: Path) -> None:
    other = str(tmp_path / "dataset")
    publish_points(other, {"train": 60, "valid": 8}, seed=3, vocabulary=26)
    run(values, tmp_path / "first", model=SPEECH, limits__max_steps=2, validation__metric="loss")
    first = str(tmp_path / "first" / "best")
    changes: Values = {
        "dataset": other,
        "model": {**SPEECH, "decoder_layers": 2},
        "initialize_from": first,
        "limits__max_steps": 1,
        "optimizer__learning_rate": 1e-9,
        "validation__metric": "loss",
    }
    with pytest.raises(ConfigError, match="target tokenizer of initialize_from"):
        run(values, tmp_path / "whole", **changes)
    run(values, tmp_path / "second", initialize_parts="encoder", **changes)
    given, taken = (load_model(str(tmp_path / name / "best")).model for name in ("first", "second"))
    assert len(given.encoder_weights()) > 10
    for name, weight in given.encoder_weights().items():
        torch.testing.assert_close(taken.state_dict()[name], weight, rtol=0, atol=1e-6)
    wider = {**changes, "model": {**SPEECH, "width": 32}}
    with pytest.raises(ConfigError, match=r"does not fit this model.*Give the encoder of `model`"):
        run(values, tmp_path / "third", initialize_parts="encoder", **wider)
