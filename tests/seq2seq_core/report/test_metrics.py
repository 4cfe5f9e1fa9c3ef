"""Metrics files: what the trainer writes comes back; damage is named by line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from seq2seq_core.errors import InputError, StorageError
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.training.checkpoints.run_state import RunState, Validation
from seq2seq_core.training.recorders import JsonRecorder, TrainReport


def write(path: Path, *rows: dict[str, Any], end: str = "\n") -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows) + end)
    return str(path)


def train_row(step: int, **other: Any) -> dict[str, Any]:
    values = dict.fromkeys(("loss", "nll", "perplexity", "learning_rate", "gradient_norm", "tokens_per_second"), 1.0)
    return {"kind": "train", "step": step, "epoch": 0, "seconds": 2.0, **values, **other}


def valid_row(step: int, **other: Any) -> dict[str, Any]:
    return {"kind": "validation", "step": step, "loss": 1.0, "perplexity": 2.0, **other}


def test_what_the_trainer_writes_comes_back(tmp_path: Path) -> None:
    url = str(tmp_path / "metrics.jsonl")
    recorder = JsonRecorder(url, 0)
    report = TrainReport(
        step=50,
        position=50,
        epoch=1,
        loss=800.0,
        nll=800.0,
        learning_rate=1e-3,
        gradient_norm=math.nan,
        tokens_per_second=9.0,
        seconds=3.0,
        seconds_left=None,
        skipped=0,
    )
    recorder.report(report)
    recorder.validation(Validation(step=50, epoch=1, loss=2.0, bleu=12.5, chrf=30.0, seconds=1.0), 4.0)
    metrics = load_metrics(url)
    (train,), (valid,) = metrics.train, metrics.validation
    assert (train.step, train.epoch, train.perplexity, train.seconds) == (50, 1, math.inf, 3.0)
    assert math.isnan(train.gradient_norm)
    assert (valid.step, valid.bleu, valid.chrf, valid.perplexity) == (50, 12.5, 30.0, pytest.approx(math.exp(2)))


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    url = write(tmp_path / "m", train_row(1), train_row(2), end='\n{"kind": "tra')
    assert [point.step for point in load_metrics(url).train] == [1, 2]


def test_unknown_kinds_are_ignored(tmp_path: Path) -> None:
    url = write(tmp_path / "m", {"kind": "other", "step": 1}, valid_row(3))
    assert [point.step for point in load_metrics(url).validation] == [3]


@pytest.mark.parametrize(
    ("line", "message"), [("{", "not JSON"), ("[1]", "not an object"), ('{"kind": "train", "step": "x"}', "step")]
)
def test_damage_is_named_by_line(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(valid_row(1)) + "\n" + line + "\n")
    with pytest.raises(InputError, match=rf"metrics\.jsonl:2: .*{message}"):
        load_metrics(str(path))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        load_metrics(str(tmp_path / "none"))


def test_the_best_is_the_first_of_the_largest(tmp_path: Path) -> None:
    rows = [valid_row(1), valid_row(2, bleu=5.0), valid_row(3, bleu=math.nan), valid_row(4, bleu=5.0)]
    metrics = load_metrics(write(tmp_path / "m", *rows))
    best = metrics.best(lambda point: point.bleu)
    assert best is not None
    assert best.step == 2
    assert load_metrics(write(tmp_path / "n", valid_row(1))).best(lambda point: point.bleu) is None


def test_of_equal_scores_the_lowest_loss_is_best_as_in_training(tmp_path: Path) -> None:
    rows = [valid_row(40, bleu=0.0, loss=5.0), valid_row(80, bleu=0.0, loss=3.0), valid_row(120, bleu=0.0, loss=3.0)]
    best = load_metrics(write(tmp_path / "m", *rows)).best(lambda point: point.bleu)
    trained = RunState(
        validations=tuple(
            Validation(step=row["step"], epoch=0, loss=row["loss"], bleu=0.0, seconds=1.0) for row in rows
        )
    ).best("bleu")
    assert best is not None
    assert trained is not None
    assert best.step == trained.step == 80
