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
from seq2seq_core.training.optimization.step import Stepper
from seq2seq_core.training.processes.distributed import World
from tests.seq2seq_core.training.test_trainer import Values, config, run

RNN = {"family": "rnn", "embedding_width": 32, "width": 32, "dropout": 0.0}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def test_the_other_family_and_a_resumed_run(values: Values, tmp_path: Path) -> None:
    changes: Values = {"model": RNN, "validation": {"every_steps": 2}}
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
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    stepper = Stepper(
        network, optimizer, world, idle_batch(side), smoothing=0.1, clip_norm=None, precision="float32", seed=1
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
