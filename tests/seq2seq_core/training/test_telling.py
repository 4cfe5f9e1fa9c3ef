from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from seq2seq_core.monitoring import board as boards
from seq2seq_core.monitoring.asked import PORT_VARIABLE
from seq2seq_core.progress import Progress
from seq2seq_core.training.checkpoints.run_state import Validation
from seq2seq_core.training.recorders import TrainReport
from seq2seq_core.training.telling import ProgressRecorder, Told, telling_recorders
from tests.processes import answers, free_port

REPORT = TrainReport(
    step=20, position=20, epoch=3, loss=2.5, nll=2.0, learning_rate=1e-3, gradient_norm=0.5, tokens_per_second=100.0,
    seconds=9.0, seconds_left=None, skipped=1, tokens=640,
)  # fmt: skip
VALIDATION = Validation(step=20, epoch=3, loss=1.5, bleu=31.0, seconds=2.0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[boards.Board]]:
    """The boards that are made meanwhile."""
    found: list[boards.Board] = []

    class Noted(boards.Board):
        def __init__(self) -> None:
            super().__init__()
            found.append(self)

    monkeypatch.setattr("seq2seq_core.monitoring.serving.Board", Noted)
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    return found


def test_how_far_a_run_is_is_told_from_where_it_carries_on() -> None:
    told: list[Progress] = []
    recorder = ProgressRecorder(100, 300, told.append)
    recorder.step(101)
    recorder.report(REPORT)
    recorder.validation(VALIDATION, 1.0)
    recorder.close()
    assert [(progress.done, progress.total, progress.before, progress.noun) for progress in told] == [
        (100, 300, 100, "steps"),
        (101, 300, 100, "steps"),
    ]
    ProgressRecorder(0, None, told.append)
    assert (told[-1].total, told[-1].seconds_left) == (0, None)


def test_without_a_port_nothing_is_counted(made: list[boards.Board]) -> None:
    assert len(telling_recorders(0, 10, Told(print, lambda: 0.0))) == 1
    assert made == []


def test_what_a_run_reports_becomes_metrics_until_it_ends(
    made: list[boards.Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, waits = free_port(), itertools.count(1)
    monkeypatch.setenv(PORT_VARIABLE, f"127.0.0.1:{port}")
    recorders = telling_recorders(10, 40, Told(lambda progress: None, lambda: 0.25 * next(waits)))
    for recorder in recorders:
        for step in (11, 12):
            recorder.step(step)
        recorder.report(REPORT)
        recorder.report(REPORT)
        recorder.validation(VALIDATION, 1.0)
    (board,) = made
    found = {" ".join((metric.name, *labels)): value for metric, some in board.samples() for labels, value in some}
    assert answers(port)
    expected = {
        "seq2seq_steps_total ": 2,
        "seq2seq_expected_steps ": 40,
        "seq2seq_tokens_total": 1280,
        "seq2seq_throughput_per_second tokens": 100,
        "seq2seq_train_loss": 2.5,
        "seq2seq_train_nll": 2,
        "seq2seq_train_epoch": 3,
        "seq2seq_train_learning_rate": 1e-3,
        "seq2seq_train_gradient_norm": 0.5,
        "seq2seq_train_skipped_steps": 1,
        "seq2seq_train_data_wait_seconds_total": 0.5,
        "seq2seq_validation_loss": 1.5,
        "seq2seq_validation_score bleu": 31,
    }
    assert {name: found[name] for name in expected} == expected
    for recorder in recorders:
        recorder.close()
    assert not answers(port)
