from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_core.config import build
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.models.folder import load_model
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.initializing import fitting, initialize
from seq2seq_core.training.materials import Materials, gather_materials
from seq2seq_core.training.trainer import train

CPU = torch.device("cpu")
KEPT, TABLE = "encoder.0.self_attention.input.weight", "embeddings.target.weight"
Values = dict[str, Any]


@pytest.fixture(scope="module")
def best(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("runs") / "run"
    train(build(TrainConfig, {**tiny_training, "output": str(output), "limits": {"max_steps": 2}}))
    return str(output / "last")


def materials(values: Values, output: Path, **model: Any) -> Materials:
    values = {**values, "output": str(output), "model": {**values["model"], **model}}
    return gather_materials(build(TrainConfig, values), CPU, (Dataset.open(values["dataset"]),))


def test_rows_are_taken_by_the_text_of_their_pieces_and_the_rest_by_name_and_shape() -> None:
    ours = {"embeddings.source.weight": torch.zeros(4, 2), "encoder.w": torch.zeros(3), "decoder.w": torch.zeros(2, 2)}
    theirs = {
        "embeddings.target.weight": torch.arange(6.0).view(3, 2),  # where the tables are one
        "encoder.w": torch.ones(3),
        "decoder.w": torch.ones(5, 2),
    }
    found = fitting(ours, theirs, {"source": torch.tensor([0, -1, 2, -1])})
    assert found.weights["embeddings.source.weight"].tolist() == [[0, 1], [0, 0], [4, 5], [0, 0]]
    assert found.by_piece == {"embeddings.source.weight": (2, 4)}
    assert torch.equal(found.weights["encoder.w"], theirs["encoder.w"])
    assert found.left == {"decoder.w": "(5, 2), not (2, 2)"}
    assert not ours["embeddings.source.weight"].any()


def test_a_model_of_another_vocabulary_and_shape_gives_what_fits(
    best: str,
    tiny_training: Values,
    tmp_path: Path,
    publish_tiny: Callable[..., Manifest],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = str(tmp_path / "other")
    publish_tiny(other, {"train": 60, "valid": 4}, seed=5)
    values = {**tiny_training, "dataset": other}
    gathered = materials(values, tmp_path / "run", feed_forward_width=48, encoder_layers=2)
    before = {name: weight.clone() for name, weight in gathered.model.state_dict().items()}
    with caplog.at_level(logging.INFO):
        initialize(gathered.model, gathered.dataset, best, "fitting")
    other_model, ours = load_model(best), gathered.model.state_dict()
    theirs = other_model.model.state_dict()
    assert torch.equal(ours[KEPT], theirs[KEPT])
    for name in ("encoder.0.feed_forward.inner.weight", "encoder.1.self_attention.input.weight"):
        assert torch.equal(ours[name], before[name])
        assert name in caplog.text
    mine, known = (
        one.pieces(np.arange(one.vocabulary_size))
        for one in (gathered.dataset.target_tokenizer, other_model.tokenizers["target"])
    )
    shared = set(mine) & set(known)
    assert 4 < len(shared) < len(mine)
    for i, piece in enumerate(mine):
        row = theirs[TABLE][known.index(piece)] if piece in shared else before[TABLE][i]
        assert torch.equal(ours[TABLE][i], row), piece
    assert f"of {len(mine)} pieces {len(shared)} are known" in caplog.text
