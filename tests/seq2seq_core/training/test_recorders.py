from __future__ import annotations

import importlib.util
import json
import logging
import math
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.errors import StorageError
from seq2seq_core.report.metrics import load_metrics
from seq2seq_core.training.checkpoints.run_state import RunState, Validation
from seq2seq_core.training.recorders import JsonRecorder, LogRecorder, TensorBoardRecorder, TrainReport, build_recorders


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


LINES = st.one_of(
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"\0" * 8, b"", b"[" * 9999, b"9" * 9999, b"\xff\xfe", b"null", b"[1]", b'"x"', b"NaN"]),
    st.dictionaries(
        st.sampled_from(["kind", "step", "x"]),
        st.one_of(
            st.none(), st.floats(), st.integers(), st.text(), st.booleans(), st.sampled_from(["train", "validation"])
        ),
    ).map(lambda row: json.dumps(row).encode()),
)


@given(st.lists(LINES), st.integers(0, 5), st.binary(max_size=9))
def test_no_line_of_the_file_stops_a_run(lines: list[bytes], place: int, end: bytes) -> None:
    url = f"memory://metrics/{uuid.uuid4().hex}"
    ours = [json.dumps({"kind": kind, "step": 7}).encode() for kind in ("train", "validation")]
    before = [*lines[:place], *ours, *lines[place:]]
    storage.publish_bytes(url, b"\n".join(before) + b"\n" + end.replace(b"\n", b""))
    JsonRecorder(url, 10, {7}).report(report(20))
    found = storage.read_bytes(url).splitlines()
    assert all(line in found for line in ours)
    assert all(isinstance(json.loads(line), dict) for line in found)
    assert load_metrics_rows(found)[-1]["step"] == 20
    storage.remove(url)


def load_metrics_rows(lines: list[bytes]) -> list[dict[str, Any]]:
    return [row for row in map(json.loads, lines) if row.get("kind") in ("train", "validation")]


def test_lines_that_are_no_rows_are_dropped_with_one_warning_and_rows_of_others_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    JsonRecorder(str(path), 0).report(report(10))
    other = '{"kind": "evaluation", "wer": 0.5}\n'
    path.write_bytes(path.read_bytes() + b"\0\0\0\n" + other.encode() + b'{"kind": "train"}\n{"kind": "tra')
    JsonRecorder(str(path), 10).report(report(20))
    assert caplog.messages == [f"{path}: 2 lines that are no rows are dropped, the first of them line 2"]
    assert [row.get("step") for row in rows(str(path))] == [10, None, 20]
    assert other in path.read_text()
    assert [point.step for point in load_metrics(str(path)).train] == [10, 20]


def test_a_file_with_nothing_to_drop_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    JsonRecorder(str(path), 0).report(report(10))
    inode = path.stat().st_ino
    JsonRecorder(str(path), 10)
    assert path.stat().st_ino == inode


def test_a_validation_that_the_run_does_not_know_of_is_dropped(tmp_path: Path) -> None:
    url = str(tmp_path / "metrics.jsonl")
    recorder = JsonRecorder(url, 0)
    for step in (10, 20):
        recorder.report(report(step))
        recorder.validation(validation(step), 1.0)
    JsonRecorder(url, 20, {10})
    assert [(row["kind"], row["step"]) for row in rows(url)] == [("train", 10), ("validation", 10), ("train", 20)]


def test_what_is_no_finite_number_is_written_as_json_knows_it_and_read_again(tmp_path: Path) -> None:
    url = str(tmp_path / "metrics.jsonl")
    recorder = JsonRecorder(url, 0)
    recorder.report(report(10, loss=math.nan, nll=1e9, gradient_norm=-math.inf))
    recorder.validation(validation(10).model_copy(update={"loss": math.inf, "bleu": math.nan}), 1.0)
    for line in storage.read_text(url).splitlines():
        json.loads(line, parse_constant=pytest.fail)
    metrics = load_metrics(url)
    assert math.isnan(metrics.train[0].loss)
    assert (metrics.train[0].perplexity, metrics.train[0].gradient_norm) == (math.inf, -math.inf)
    assert metrics.validation[0].loss == math.inf


@pytest.mark.parametrize("scheme", ["local", "memory"])
def test_a_row_that_cannot_be_written_is_told_with_its_file(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "/dev/full" if scheme == "local" else f"memory://{tmp_path.name}/metrics.jsonl"
    recorder = JsonRecorder(str(tmp_path / "x") if scheme == "local" else url, 0)
    if scheme == "local":
        recorder._url = url
    else:
        monkeypatch.setattr(storage, "publish_bytes", full)
    with pytest.raises(StorageError, match=f"{url}: .*full"):
        recorder.report(report(10))


def full(url: str, data: bytes) -> None:
    raise StorageError("the disk is full", where=url)


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
    recorders = build_recorders(str(tmp_path), RunState(), 10, tensorboard=True)
    for recorder in recorders:
        recorder.step(1)
        recorder.report(report(1))
        recorder.validation(validation(1), 1.0)
        recorder.close()
    assert next(path.name for path in (tmp_path / "tensorboard").iterdir()).startswith("events.out.tfevents")


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_the_curves_and_purges_what_is_done_again(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = TensorBoardRecorder(str(tmp_path), 0)
    for step in (10, 20, 30):
        first.report(report(step))
    first.validation(validation(20), 1.0)
    time.sleep(1.1)  # TensorBoard reads files in the order of their names, which hold seconds
    TensorBoardRecorder(str(tmp_path), 20).report(report(30, loss=1.0))
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(10, 2.5), (20, 2.5), (30, 1.0)]
    assert [(e.step, e.value) for e in events.Scalars("validation/bleu")] == [(20, 31.25)]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_curves_that_cannot_be_written_end_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = TensorBoardRecorder(str(tmp_path), 0)
    monkeypatch.setattr(storage, "append", full)
    for step in (10, 20):
        recorder.report(report(step))
    recorder.close()
    (message,) = caplog.messages
    assert message.startswith("no more TensorBoard curves: ")
    assert message.endswith("the disk is full")


def test_without_tensorboard_a_log_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO):
        recorders = build_recorders(str(tmp_path), RunState(), 10, tensorboard=True)
    assert "no TensorBoard curves: the package tensorboard is not installed" in caplog.messages
    assert [type(recorder).__name__ for recorder in recorders] == ["LogRecorder", "JsonRecorder"]
