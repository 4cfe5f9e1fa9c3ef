"""Runs whose attention is guided by aligned words: that it goes there, that they stay exact, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import ConfigError
from tests.aligned_dataset import publish_aligned
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, rows, run


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return publish_aligned(tmp_path_factory.mktemp("aligned"))


@pytest.fixture
def values(tiny_training: Values, aligned: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Values:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    return {
        **tiny_training,
        "dataset": aligned.root,
        "guided_alignment": 1.0,
        "validation": {"every_steps": None, "metric": "loss"},
        "checkpoints": {"average": {"count": 1}},
    }


def test_attention_learns_where_words_are_aligned(values: Values, tmp_path: Path) -> None:
    run(values, tmp_path / "guided", limits={"max_steps": 60})
    found = [row["auxiliary"] for row in rows(tmp_path / "guided", "train")]
    assert found[-1] < found[0] / 1.5
    run({**values, "guided_alignment": 0}, tmp_path / "free", limits={"max_steps": 2})
    assert all("auxiliary" not in row for row in rows(tmp_path / "free", "train"))


def test_a_guided_run_that_is_carried_on_ends_in_the_same_bits(values: Values, tmp_path: Path) -> None:
    values = {**values, "noise": {"sample_segmentation": "both", "word_dropout": {"source": 0.1}}, "r_drop": 1}
    run(values, tmp_path / "straight", limits={"max_steps": 6})
    run(values, tmp_path / "stopped", limits={"max_steps": 3})
    run(values, tmp_path / "stopped", limits={"max_steps": 6})
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "stopped" / "last")


def test_a_dataset_without_alignments_is_refused(values: Values, tiny_training: Values, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not say which words are aligned"):
        run({**values, "dataset": tiny_training["dataset"]}, tmp_path / "run")
