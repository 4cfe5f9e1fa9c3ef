"""Runs that mix two datasets: what they see, that they stay exact, and what is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2seq_core.config import build
from seq2seq_core.dataset.manifest import Manifest
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.errors import CheckpointError, ConfigError
from seq2seq_core.models.card import read_card
from seq2seq_core.report.inspection import describe
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.report.run_charts import run_charts
from seq2seq_core.training.averaged_model import AverageRunConfig, average_run
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.following.lineage import read_lineage
from seq2seq_core.training.mixing import names_of
from tests.growing_rows import GrowingRows
from tests.seq2seq_core.training.test_trainer import Values, assert_same_weights, run

MIXED: Values = {
    "mixture": {"weights": [1, 3]},
    "data": {"batch_tokens": 512, "max_source_tokens": 32, "max_target_tokens": 32},
    "validation": {"every_steps": 4, "metric": "loss"},
    "checkpoints": {"every_steps": 4, "average": {"count": 1}},
}


@pytest.fixture
def growing(tiny_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrowingRows:
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    second = GrowingRows(tiny_dataset, tmp_path / "second")
    second.grow(100)
    return second


@pytest.fixture
def values(tiny_training: Values, tiny_dataset: str, growing: GrowingRows) -> Values:
    return {**tiny_training, "dataset": [tiny_dataset, growing.root], **MIXED}


def reports(output: Path) -> list[Values]:
    rows = map(json.loads, (output / "metrics.jsonl").read_text().splitlines())
    return [row for row in rows if row["kind"] == "train"]


def test_a_run_is_exact_though_a_dataset_grows_meanwhile(
    values: Values, growing: GrowingRows, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    straight = run(values, tmp_path / "straight", limits={"max_steps": 12})
    assert "dataset: 400 rows; an epoch draws 225 (25.0% of it)" in caplog.messages
    assert "second: 500 rows; an epoch draws 675 (75.0% of it)" in caplog.messages
    run(values, tmp_path / "stopped", limits={"max_steps": 6})
    growing.grow(50)
    run(values, tmp_path / "stopped", limits={"max_steps": 12})
    assert_same_weights(tmp_path / "straight" / "last", tmp_path / "stopped" / "last")
    rows = reports(tmp_path / "straight")
    assert [row["drawn"] for row in rows] == [row["drawn"] for row in reports(tmp_path / "stopped")]
    assert straight.state.drawn == tuple(rows[-1]["drawn"].values())
    assert rows[-1]["drawn"].keys() == {"dataset", "second"}
    assert 2 < rows[-1]["drawn"]["second"] / rows[-1]["drawn"]["dataset"] < 4.5


def test_lineage_pages_and_models_tell_of_the_datasets(values: Values, tmp_path: Path) -> None:
    kept = {"every_steps": 4, "keep_outputs": True, "max_rows": 10}
    result = run(values, tmp_path / "run", limits={"max_steps": 8}, validation=kept)
    outputs = (tmp_path / "run" / "validations" / "step-00000008.txt").read_text().splitlines()
    assert (len(outputs), outputs[:10]) == (20, outputs[10:])  # the same rows stand in both
    lineage = read_lineage(str(tmp_path / "run"))
    assert lineage is not None
    (segment,) = lineage.segments
    assert [(share.rows, share.draws, share.generation) for share in segment.shares] == [(400, 225, 0), (500, 675, 1)]
    assert segment.rows == 900
    assert segment.dataset.split("+") == [Dataset.open(url).manifest.digest for url in values["dataset"]]
    card = read_card(str(tmp_path / "run" / "last"))[1]
    assert card.dataset == ", ".join(values["dataset"])
    assert card.drawn == dict(zip(values["dataset"], result.state.drawn, strict=True))
    first = average_run(AverageRunConfig(run=str(tmp_path / "run"), output=str(tmp_path / "mean"), steps=(4,)))
    assert first == (4,)
    earlier = read_card(str(tmp_path / "mean"))[1].drawn
    assert all(0 < earlier[url] < card.drawn[url] for url in values["dataset"])
    assert "rows of second" in describe(str(tmp_path / "run"))
    charts = dict(run_charts(load_metrics(str(tmp_path / "run" / "metrics.jsonl"))))
    assert "second" in charts["Rows of each dataset"]
    with pytest.raises(CheckpointError, match="dataset_digest differs"):
        run({**values, "dataset": values["dataset"][::-1]}, tmp_path / "run", limits={"max_steps": 9}, validation=kept)
    with pytest.raises(CheckpointError, match=r"mixture\.weights differs"):
        run({**values, "mixture": {"weights": [1, 2]}}, tmp_path / "run", limits={"max_steps": 9}, validation=kept)


def test_datasets_of_other_tokenizers_are_refused(
    values: Values, tmp_path: Path, publish_tiny: Callable[..., Manifest]
) -> None:
    other = str(tmp_path / "other")
    theirs = publish_tiny(other, {"train": 20}, seed=5).source_tokenizer
    assert theirs is not None
    with pytest.raises(ConfigError, match=rf"do not share the tokenizer .* found {theirs.digest} in .*other"):
        run({**values, "dataset": [values["dataset"][0], other]}, tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dataset": []}, "no dataset is named"),
        ({"dataset": ["a", "b", "a"]}, "a stands twice: give its share in mixture.weights"),
        ({"dataset": "a", "mixture": {"temperature": 2}}, "mixture is for several datasets"),
        ({"dataset": ["a", "b"], "mixture": {"weights": [1]}}, "mixture.weights has 1 weights for 2 datasets"),
        ({"dataset": ["a", "b"], "follow": True}, "follow is for one dataset"),
        ({"dataset": ["a", "b"], "replay": "c"}, "replay is for one dataset"),
    ],
)
def test_what_cannot_be_mixed(changes: Values, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        build(TrainConfig, {"output": "run", **changes})


def test_a_list_of_one_is_one() -> None:
    assert build(TrainConfig, {"output": "run", "dataset": ["a"]}).dataset == "a"


def test_names_are_as_short_as_they_can_be() -> None:
    assert names_of(["a/b/c", "a/d/"]) == ("c", "d")
    assert names_of(["a/b/c", "a/d/c", "e"]) == ("b/c", "d/c", "e")
    assert names_of(["s3://me:secret@x/c", "c"])[0].endswith("/c")
