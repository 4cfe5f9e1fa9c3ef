"""Runs that meet easy rows first: what they see, that they stay exact, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from seq2seq_core.config import build
from seq2seq_core.errors import CheckpointError, ConfigError, DatasetError
from seq2seq_core.training.config import TrainConfig
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, rows, run

EASY_FIRST: Values = {
    "curriculum": {"by": "source_length", "steps": 10, "stages": 5, "start": 0.1},
    "data": {"batch_tokens": 256, "max_source_tokens": 32, "max_target_tokens": 32},
    "validation": {"every_steps": None, "metric": "loss"},
    "checkpoints": {"average": {"count": 1}},
}


@pytest.fixture
def values(tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Values:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return {**tiny_training, **EASY_FIRST}


def test_a_run_that_is_carried_on_amid_a_curriculum_ends_in_the_same_bits(
    values: Values, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run(values, tmp_path / "straight", limits={"max_steps": 14})
    told = "by source length the 40 rows of the lowest values come first; all are there after step 10"
    assert told in caplog.messages
    run(values, tmp_path / "stopped", limits={"max_steps": 5})
    run(values, tmp_path / "stopped", limits={"max_steps": 14})
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "stopped" / "last")
    epochs = [row["epoch"] for row in rows(tmp_path / "straight", "train")]
    assert epochs == [row["epoch"] for row in rows(tmp_path / "stopped", "train")]
    assert epochs[:3] == [0, 1, 2]  # forty short rows are one batch, until more are there
    assert len(np.unique(epochs[10:13])) == 1
    with pytest.raises(CheckpointError, match=r"curriculum\.steps differs"):
        run(
            {**values, "curriculum": {**values["curriculum"], "steps": 11}},
            tmp_path / "stopped",
            limits={"max_steps": 20},
        )


def test_scores_are_needed_where_rows_come_by_them(values: Values, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="keeps no scores of its rows"):
        run({**values, "curriculum": {"by": "score"}}, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"curriculum": {"steps": 5}}, "curriculum.by says what rows are put in order by, and is none"),
        ({"dataset": ["a", "b"]}, "curriculum and several datasets both say which rows come when"),
        ({"follow": True}, "curriculum and follow both say which rows come when"),
        ({"replay": "r"}, "curriculum and replay both say which rows come when"),
    ],
)
def test_what_does_not_go_with_a_curriculum(changes: Values, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        build(TrainConfig, {"dataset": "a", "output": "run", "curriculum": {"by": "score"}, **changes})
