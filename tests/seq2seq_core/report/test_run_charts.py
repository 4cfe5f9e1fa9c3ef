from __future__ import annotations

from pathlib import Path
from typing import Any

from seq2seq_core.report.metrics import Metrics, TrainPoint, ValidationPoint
from seq2seq_core.report.progress_rows import read_progress
from seq2seq_core.report.run_charts import run_charts


def run(**effort: Any) -> Metrics:
    train = tuple(
        TrainPoint(
            step=step, epoch=0, loss=9.0 / step, perplexity=3.0, learning_rate=0.1, gradient_norm=1.0,
            tokens_per_second=100.0, seconds=1.0, **effort,
        )
        for step in (1, 2, 3)
    )  # fmt: skip
    return Metrics(train, (ValidationPoint(step=3, loss=2.0, perplexity=7.0, bleu=20.0, chrf=30.0),))


def captions(*runs: Any) -> list[str]:
    return [caption for caption, _ in run_charts(*runs)]


def test_older_runs_have_no_curves_of_effort() -> None:
    usual = ["Loss in nats a token", "Perplexity", "BLEU and chrF on the validation set", "Learning rate"]
    assert captions(run()) == usual
    told = run(padding=0.1, data_wait=0.0, peak_memory=1e9)
    assert captions(told) == [*usual, "Speed", "What was lost", "Memory"]
    assert "Utilization of the device" in captions(run(padding=0.1, utilization=0.4))


def test_two_runs_share_each_drawing() -> None:
    found = dict(run_charts(run(), ("other", run())))
    assert list(found) == [
        "Training loss in nats a token", "Validation loss in nats a token", "BLEU on the validation set",
        "chrF on the validation set", "Learning rate", "Target tokens a second",
    ]  # fmt: skip
    assert all("this run" in svg and "other" in svg for svg in found.values())


def test_outputs_over_time_are_those_of_some_steps(tmp_path: Path) -> None:
    assert read_progress(str(tmp_path), ["a"], 3) == ()
    (tmp_path / "validations").mkdir()
    for step in range(10, 80, 10):
        (tmp_path / "validations" / f"step-{step:08d}.txt").write_text(f"one {step}\ntwo {step}\n")
    found = read_progress(str(tmp_path), ["eins"], 3)
    assert [row.reference for row in found] == ["eins", ""]
    steps = [step for step, _ in found[0].outputs]
    assert (steps[0], steps[-1], len(steps)) == (10, 70, 5)
    assert found[1].outputs[-1] == (70, "two 70")
