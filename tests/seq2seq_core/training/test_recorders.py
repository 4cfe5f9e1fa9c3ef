from __future__ import annotations

import importlib.util
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core import storage
from seq2seq_core.training.progress import Progress, Validation
from seq2seq_core.training.recorders import JsonRecorder, LogRecorder, TrainReport, build_recorders


def report(step: int, **changes: Any) -> TrainReport:
    values: dict[str, Any] = {
        "step": step, "position": step, "epoch": 1, "loss": 2.5, "nll": 2.0, "learning_rate": 5e-4,
        "gradient_norm": 0.7, "tokens_per_second": 1234.5, "seconds": 60.0, "seconds_left": 3725.0, "skipped": 0,
    }  # fmt: skip
    return TrainReport(**{**values, **changes})


def validation(step: int) -> Validation:
    return Validation(step=step, epoch=1, loss=1.5, bleu=31.25, chrf=55.5, seconds=2.5)


def rows(url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in storage.read_text(url).splitlines()]


@pytest.mark.parametrize("scheme", ["local", "memory"])
def test_rows_after_the_resumed_step_are_dropped(tmp_path: Path, scheme: str) -> None:
    url = str(tmp_path / "metrics.jsonl") if scheme == "local" else f"memory://{tmp_path.name}/metrics.jsonl"
    recorder = JsonRecorder(url, 0)
    for step in (10, 20, 30):
        recorder.report(report(step))
    recorder.validation(validation(20), 61.0)
    again = JsonRecorder(url, 20)
    again.report(report(30, loss=1.0))
    found = rows(url)
    assert [(row["kind"], row["step"]) for row in found] == [
        ("train", 10), ("train", 20), ("validation", 20), ("train", 30),
    ]  # fmt: skip
    assert found[-1]["loss"] == 1.0
    assert found[0]["perplexity"] == pytest.approx(7.389, abs=1e-3)
    assert "seconds_left" not in found[0]
    assert found[2] == {
        "kind": "validation", "step": 20, "epoch": 1, "loss": 1.5, "bleu": 31.25, "chrf": 55.5,
        "perplexity": pytest.approx(4.4817, abs=1e-4), "validation_seconds": 2.5, "seconds": 61.0,
    }  # fmt: skip


def test_a_row_cut_short_by_a_kill_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    JsonRecorder(str(path), 0).report(report(10))
    path.write_text(path.read_text() + '{"kind": "tra')
    JsonRecorder(str(path), 10).report(report(20))
    assert [row["step"] for row in rows(str(path))] == [10, 20]


def test_a_log_line_says_it_all(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        LogRecorder().report(report(10))
        LogRecorder().validation(validation(10), 60.0)
    assert caplog.messages == [
        "step 10 | epoch 1 | loss 2.5000 | perplexity 7.39 | 1234 tokens/s | rate 0.0005 | norm 0.70 | 1:02:05 left",
        "validation at step 10 | loss 1.5000 | perplexity 4.48 | BLEU 31.25 | chrF 55.50 | 2.5 s",
    ]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_an_event_file(tmp_path: Path) -> None:
    recorders = build_recorders(str(tmp_path), Progress(), 10, tensorboard=True)
    for recorder in recorders:
        recorder.step(1)
        recorder.report(report(1))
        recorder.validation(validation(1), 1.0)
        recorder.close()
    assert next(path.name for path in (tmp_path / "tensorboard").iterdir()).startswith("events.out.tfevents")


def test_without_tensorboard_a_log_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO):
        recorders = build_recorders(str(tmp_path), Progress(), 10, tensorboard=True)
    assert "no TensorBoard curves: the package tensorboard is not installed" in caplog.messages
    assert [type(recorder).__name__ for recorder in recorders] == ["LogRecorder", "JsonRecorder"]
