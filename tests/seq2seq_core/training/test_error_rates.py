"""A run that is judged by its error rate: every place that shows or uses a validation agrees that lower is better."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq_core.config import load
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.modalities.text import Text
from seq2seq_core.models.folder import load_model
from seq2seq_core.report.inspection import describe
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.training.config import TrainConfig
from seq2seq_core.training.trainer import TrainResult
from tests.seq2seq_core.training.test_trainer import Values, rows, run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")


@pytest.fixture(scope="module")
def judged(tiny_training: Values, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    torch.set_num_threads(1)
    output = tmp_path_factory.mktemp("judged")
    changes: Values = {"limits__max_steps": 150, "report_every_steps": 50}
    changes |= {"validation": {"every_steps": 30, "metric": "wer"}, "tensorboard": True}
    changes |= {"checkpoints": {"keep_best": 1, "keep_last": 1, "average": {"count": 1}}}
    return output, run(tiny_training, output, **changes)


def test_the_best_has_the_lowest_rate(judged: tuple[Path, TrainResult]) -> None:
    output, result = judged
    found = [(v.wer, v.loss, v.step) for v in result.state.validations]
    assert len(found) == 5
    assert found[0][0] is not None
    assert found[-1][0] is not None
    assert found[-1][0] < found[0][0]
    best = min(found)[2]
    assert result.final is not None
    assert result.final.steps == (best,)
    assert {int(p.name.removeprefix("step-")) for p in (output / "checkpoints").iterdir()} == {150, best}
    assert load_model(str(output / "best")).lineage.step == best


def test_all_records_have_both_rates_and_no_bleu(judged: tuple[Path, TrainResult]) -> None:
    output, result = judged
    written = [(row["wer"], row["cer"], row["bleu"]) for row in rows(output, "validation")]
    assert written == [(v.wer, v.cer, None) for v in result.state.validations]
    lineage = load_model(str(output / "best")).lineage
    assert lineage.metrics.keys() == {"loss", "wer", "cer"}
    points = load_metrics(str(output / "metrics.jsonl")).validation
    assert [point.wer for point in points] == [row[0] for row in written]


def test_inspection_marks_the_lowest(judged: tuple[Path, TrainResult]) -> None:
    output, result = judged
    lines = describe(str(output)).split("\n")
    assert any(line.split() == ["step", "loss", "perplexity", "WER", "CER"] for line in lines)
    marked = next(line.split() for line in lines if "best WER" in line)
    assert result.final is not None
    assert int(marked[0]) == result.final.steps[0]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_there_are_curves_of_it(judged: tuple[Path, TrainResult]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    output, result = judged
    events = EventAccumulator(str(output / "tensorboard")).Reload()
    drawn = [event.value for event in events.Scalars("validation/wer")]
    assert drawn == pytest.approx([v.wer for v in result.state.validations], rel=1e-5)


def test_a_rate_that_does_not_fall_ends_the_run(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([50.0, 40.0, math.inf, 41.0, 0.0])
    monkeypatch.setattr(RecognitionMetric, "measured", lambda self, sums: {"wer": next(rates), "cer": 1.0})
    validation = {"every_steps": 2, "metric": "wer", "patience": 2}
    result = run(tiny_training, tmp_path / "run", limits__max_steps=40, validation=validation)
    assert (result.reason, result.state.step) == ("patience", 8)


@pytest.mark.parametrize(("metric", "kept"), [("bleu", "bleu"), ("wer", "wer")])
def test_the_source_decides_where_nobody_does(
    metric: Any, kept: str, tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Text, "metric", metric)
    result = run(tiny_training, tmp_path / "run", limits__max_steps=2)
    assert load(TrainConfig, str(tmp_path / "run" / "config.yaml")).validation.metric == kept
    assert next(iter(result.state.validations[0].scores)) == kept


def test_a_run_that_names_the_usual_metric_is_the_same_run(tiny_training: Values, tmp_path: Path) -> None:
    run(tiny_training, tmp_path / "run", limits__max_steps=2, validation={"metric": "bleu"})
    assert run(tiny_training, tmp_path / "run", limits__max_steps=4).state.step == 4


def test_rates_are_those_of_any_language_where_the_dataset_tells_none(
    tiny_training: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    languages: list[str] = []
    monkeypatch.setattr(
        "seq2seq_core.training.validate.RecognitionMetric",
        lambda language: languages.append(language) or RecognitionMetric(language),
    )
    run(tiny_training, tmp_path / "run", limits__max_steps=1, validation={"metric": "cer"})
    assert languages == ["und"]
