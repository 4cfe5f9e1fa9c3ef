"""Reports of a run in; a progress bar, log lines, metrics.jsonl and TensorBoard curves out."""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import logging
import os
import socket
import sys
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import pydantic
from tqdm import tqdm

from seq2seq_core import log_lines, storage
from seq2seq_core.errors import StorageError
from seq2seq_core.metrics.measures import MEASURES
from seq2seq_core.training.checkpoints.run_state import RunState, Validation, perplexity, to_json
from seq2seq_core.training.clock import Clock
from seq2seq_core.training.effort import Effort

METRICS_NAME = "metrics.jsonl"

EFFORT = ("padding", "data_wait", "teraflops", "utilization", "peak_memory")

_KINDS = ("train", "validation")
_UNIQUE_DIGITS = 8

logger = logging.getLogger(__name__)


class TrainReport(pydantic.BaseModel):
    """Means over the steps since the last report; losses in nats per target token, seconds over all resumptions.

    Attributes:
        loss: What training minimises: label-smoothed cross-entropy, with `auxiliary` in it where there is any.
        nll: The decoder's cross-entropy, without label smoothing.
        auxiliary: Loss of the model's second head (CTC), or of guided attention; None where there is neither.
        tokens: Target tokens of these steps.
        drawn: Rows of each of several datasets since the run's beginning, by name.
        padding, data_wait, teraflops, utilization, peak_memory: See `Effort.figures`.
    """

    model_config = pydantic.ConfigDict(frozen=True)

    step: int
    position: int
    epoch: int
    loss: float
    nll: float
    auxiliary: float | None = None
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds: float
    seconds_left: float | None
    skipped: int
    tokens: int = 0
    padding: float | None = None
    data_wait: float | None = None
    teraflops: float | None = None
    utilization: float | None = None
    peak_memory: int | None = None
    drawn: dict[str, int] = {}

    @property
    def effort(self) -> dict[str, float]:
        """What is known of the work that it took, by name."""
        values = {name: getattr(self, name) for name in EFFORT}
        return {name: value for name, value in values.items() if value is not None}


def report_of(
    state: RunState, rate: float, clock: Clock, effort: Effort, datasets: Sequence[str], *, has_auxiliary: bool
) -> TrainReport:
    """What there is to tell of the window that is over.

    Args:
        state: After its last step.
        rate: The learning rate of that.
        clock: How long it took.
        effort: What it took.
        datasets: What the datasets are called.
        has_auxiliary: Whether the model has a second loss.
    """
    window = state.window
    return TrainReport(
        step=state.step,
        position=state.position,
        epoch=state.epoch,
        loss=window.loss / window.tokens,
        nll=window.nll / window.tokens,
        auxiliary=window.auxiliary / window.tokens if has_auxiliary else None,
        learning_rate=rate,
        gradient_norm=window.gradient_norm / window.steps,
        tokens_per_second=clock.tokens_per_second(window.tokens),
        seconds=clock.seconds(),
        seconds_left=clock.seconds_left(state.step),
        skipped=state.skipped,
        tokens=clock.own_tokens(window.tokens),
        drawn=dict(zip(datasets, state.drawn, strict=True)) if state.drawn else {},
        **effort.figures(clock.window_seconds()),
    )


class Recorder(Protocol):
    """One place where the course of a run is shown or kept."""

    def step(self, step: int) -> None:
        """A step is done; `step` counts from 1."""

    def report(self, report: TrainReport) -> None:
        """A window of steps is over."""

    def validation(self, validation: Validation, seconds: float) -> None:
        """A validation is done, `seconds` after the run's start."""

    def close(self) -> None:
        """The run is over."""


class LogRecorder:
    """One log line for each report and validation."""

    def step(self, step: int) -> None:
        """Nothing is logged for a single step."""

    def report(self, report: TrainReport) -> None:
        left = "" if report.seconds_left is None else f" | {_clock(report.seconds_left)} left"
        auxiliary = "" if report.auxiliary is None else f" | auxiliary {report.auxiliary:.4f}"
        skipped = f" | {report.skipped} skipped" if report.skipped else ""
        logger.info(
            "step %d | epoch %d | loss %.4f%s | perplexity %.2f | %d tokens/s | rate %.3g | norm %.2f%s%s%s%s",
            report.step,
            report.epoch,
            report.loss,
            auxiliary,
            perplexity(report.nll),
            report.tokens_per_second,
            report.learning_rate,
            report.gradient_norm,
            _effort(report),
            "".join(f" | {rows} rows of {name}" for name, rows in report.drawn.items()),
            skipped,
            left,
            extra={log_lines.FIGURES: report.model_dump(exclude=set() if report.drawn else {"drawn"})},
        )

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        scores = "".join(f" | {MEASURES[name].label} {value:.2f}" for name, value in validation.scores.items())
        logger.info(
            "validation at step %d | loss %.4f | perplexity %.2f%s | %.1f s",
            validation.step,
            validation.loss,
            validation.perplexity,
            scores,
            validation.seconds,
            extra={log_lines.FIGURES: {**validation.model_dump(), "perplexity": validation.perplexity}},
        )

    def close(self) -> None:
        """Nothing is held."""


class JsonRecorder:
    """`metrics.jsonl`: a row for each report and validation.

    Where a run carries on, the rows that it will write again are dropped, and with a warning what a loss of power or
    another program's mistake left there and is no row at all. Rows of others stay. Nothing in the file stops a run.

    On a local disk each row is appended; on an object store the file is put anew with each row.

    Args:
        url: The file.
        step: Where the run carries on.
        validated: The steps whose validations the run knows of; None: all up to `step`.
    """

    def __init__(self, url: str, step: int, validated: Collection[int] | None = None) -> None:
        self._url = url
        data = storage.read_if_there(url)
        self._lines = _kept(url, data or b"", step, validated)
        if data != b"".join(self._lines):
            storage.publish_bytes(url, b"".join(self._lines))

    def step(self, step: int) -> None:
        """Single steps are no rows."""

    def report(self, report: TrainReport) -> None:
        values = report.model_dump(
            exclude={"seconds_left", "tokens", *EFFORT}
            | ({"auxiliary"} if report.auxiliary is None else set())
            | (set() if report.drawn else {"drawn"})
        )
        self._add({"kind": "train", **values, "perplexity": perplexity(report.nll), **report.effort})

    def validation(self, validation: Validation, seconds: float) -> None:
        values = {"perplexity": validation.perplexity, "validation_seconds": validation.seconds, "seconds": seconds}
        self._add({"kind": "validation", **validation.model_dump(exclude={"seconds"}), **values})

    def close(self) -> None:
        """Every row is already written."""

    def _add(self, row: dict[str, Any]) -> None:
        line = (to_json(row) + "\n").encode()
        self._lines.append(line)
        if storage.is_local(self._url):
            storage.append(self._url, line)
        else:
            storage.publish_bytes(self._url, b"".join(self._lines))


class BarRecorder:
    """A progress bar on the terminal, over steps where their number is limited."""

    def __init__(self, step: int, total: int | None) -> None:
        self._bar = tqdm(initial=step, total=total, unit="step", dynamic_ncols=True, leave=False)

    def step(self, step: int) -> None:
        self._bar.update(step - self._bar.n)

    def report(self, report: TrainReport) -> None:
        self._bar.set_postfix(loss=f"{report.loss:.3f}", tokens_s=int(report.tokens_per_second), refresh=False)

    def validation(self, validation: Validation, seconds: float) -> None:
        """The log line says it."""

    def close(self) -> None:
        self._bar.close()


class TensorBoardRecorder:
    """An event file for TensorBoard; events after the resumed step are purged.

    The curves are a copy of metrics.jsonl: where they cannot be written, a warning says so and the run goes on.
    """

    def __init__(self, folder: str, step: int) -> None:
        # fails where the extra is not installed
        self._events = importlib.import_module("tensorboard.compat.proto.event_pb2")
        self._summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
        self._records = importlib.import_module("tensorboard.summary.writer.record_writer")
        now, unique = time.time(), uuid.uuid4().hex[:_UNIQUE_DIGITS]
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{unique}"
        self._url: str | None = storage.join(folder, name)
        start = self._events.SessionLog(status=self._events.SessionLog.START)
        head = {"wall_time": now, "step": step + 1}
        self._append(
            self._events.Event(**head, file_version="brain.Event:2"), self._events.Event(**head, session_log=start)
        )

    def step(self, step: int) -> None:
        """Single steps are no points."""

    def report(self, report: TrainReport) -> None:
        self._add(points_of(report), report.step)

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        self._add(points_of_validation(validation), validation.step)

    def close(self) -> None:
        """Every point is already written."""

    def _add(self, values: Mapping[str, float], step: int) -> None:
        kind = self._summaries.Summary
        points = kind(value=[kind.Value(tag=name, simple_value=value) for name, value in values.items()])
        self._append(self._events.Event(wall_time=time.time(), step=step, summary=points))

    def _append(self, *events: Any) -> None:
        if self._url is None:
            return
        whole = io.BytesIO()
        writer = self._records.RecordWriter(whole)
        for event in events:
            writer.write(event.SerializeToString())
        try:
            storage.append(self._url, whole.getvalue())
        except StorageError as error:
            logger.warning("no more TensorBoard curves: %s", error)
            self._url = None


def build_recorders(output: str, state: RunState, max_steps: int | None, *, tensorboard: bool) -> list[Recorder]:
    """The recorders of the main process, for a run that starts or carries on from this state."""
    step, validated = state.step, {validation.step for validation in state.validations}
    recorders: list[Recorder] = [LogRecorder(), JsonRecorder(storage.join(output, METRICS_NAME), step, validated)]
    if sys.stderr.isatty() and not log_lines.is_json():
        recorders.append(BarRecorder(step, max_steps))
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        logger.info("no TensorBoard curves: the package tensorboard is not installed")
    elif tensorboard and not storage.is_local(output):
        logger.info("no TensorBoard curves: %s is not a local folder", storage.redact(output))
    elif tensorboard:
        recorders.append(TensorBoardRecorder(storage.join(output, "tensorboard"), step))
    return recorders


def _kept(url: str, data: bytes, step: int, validated: Collection[int] | None) -> list[bytes]:
    """The rows of the file that stay, each with its line end."""
    lines = data.split(b"\n")
    rows = [_row(line) for line in lines]
    broken = [number for number, row in enumerate(rows[:-1], start=1) if row is None]  # a kill cuts the last one short
    if broken:
        logger.warning(
            "%s: %d lines that are no rows are dropped, the first of them line %d",
            storage.redact(url),
            len(broken),
            broken[0],
        )
    found = zip(lines, rows, strict=True)
    return [line + b"\n" for line, row in found if row is not None and _stays(row, step, validated)]


def _row(line: bytes) -> dict[str, Any] | None:
    """The row of a line; None where it is none, or one of ours without its step."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or (row.get("kind") in _KINDS and type(row.get("step")) is not int):
        return None
    return row


def _stays(row: Mapping[str, Any], step: int, validated: Collection[int] | None) -> bool:
    kind = row.get("kind")
    if kind == "validation" and validated is not None:
        return row["step"] in validated
    return kind not in _KINDS or row["step"] <= step


def _effort(report: TrainReport) -> str:
    """Padding, waiting and so on, as the log says it."""
    found = report.effort
    shares = {"padding": "padding", "data_wait": "data wait", "utilization": "utilization"}
    told = [f" | {label} {100 * found[name]:.1f}%" for name, label in shares.items() if name in found]
    return "".join(told) + (f" | {found['peak_memory'] / 1e9:.2f} GB" if "peak_memory" in found else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def points_of(report: TrainReport) -> dict[str, float]:
    """What curves show of a report, by their names."""
    names = ("loss", "nll", "auxiliary", "learning_rate", "gradient_norm", "tokens_per_second", *EFFORT)
    values = {f"train/{name}": getattr(report, name) for name in names}
    values |= {f"rows/{name}": rows for name, rows in report.drawn.items()}
    return {name: value for name, value in values.items() if value is not None}


def points_of_validation(validation: Validation) -> dict[str, float]:
    """Likewise of a validation."""
    values = {"loss": validation.loss, **validation.scores}
    return {f"validation/{name}": value for name, value in values.items()}
