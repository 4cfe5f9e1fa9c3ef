"""Reports of a run in; a progress bar, log lines, metrics.jsonl and TensorBoard curves out."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import sys
from typing import Any, Protocol

import pydantic
from tqdm import tqdm

from seq2seq_core import storage
from seq2seq_core.training.progress import Validation, perplexity

METRICS_NAME = "metrics.jsonl"

logger = logging.getLogger(__name__)


class TrainReport(pydantic.BaseModel):
    """Means over the steps since the last report; losses in nats per target token, seconds over all resumptions."""

    model_config = pydantic.ConfigDict(frozen=True)

    step: int
    position: int
    epoch: int
    loss: float
    nll: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds: float
    seconds_left: float | None
    skipped: int


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
        skipped = f" | {report.skipped} skipped" if report.skipped else ""
        logger.info(
            "step %d | epoch %d | loss %.4f | perplexity %.2f | %d tokens/s | rate %.3g | norm %.2f%s%s",
            report.step,
            report.epoch,
            report.loss,
            perplexity(report.nll),
            report.tokens_per_second,
            report.learning_rate,
            report.gradient_norm,
            skipped,
            left,
        )

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        scores = "".join(
            f" | {name} {value:.2f}"
            for name, value in (("BLEU", validation.bleu), ("chrF", validation.chrf))
            if value is not None
        )
        logger.info(
            "validation at step %d | loss %.4f | perplexity %.2f%s | %.1f s",
            validation.step,
            validation.loss,
            validation.perplexity,
            scores,
            validation.seconds,
        )

    def close(self) -> None:
        """Nothing is held."""


class JsonRecorder:
    """`metrics.jsonl`: a row for each report and validation; rows after `step`, where the run resumes, are dropped.

    On a local disk each row is appended; on an object store the file is put anew with each row.
    """

    def __init__(self, url: str, step: int) -> None:
        self._url = url
        self._lines = [line for line in _rows(url) if json.loads(line)["step"] <= step]
        storage.publish_text(url, "".join(self._lines))

    def step(self, step: int) -> None:
        """Single steps are no rows."""

    def report(self, report: TrainReport) -> None:
        values = report.model_dump(exclude={"seconds_left"})
        self._add({"kind": "train", **values, "perplexity": perplexity(report.nll)})

    def validation(self, validation: Validation, seconds: float) -> None:
        values = {"perplexity": validation.perplexity, "validation_seconds": validation.seconds, "seconds": seconds}
        self._add({"kind": "validation", **validation.model_dump(exclude={"seconds"}), **values})

    def close(self) -> None:
        """Every row is already written."""

    def _add(self, row: dict[str, Any]) -> None:
        line = json.dumps(row) + "\n"
        self._lines.append(line)
        if storage.is_local(self._url):
            with storage.local_path(self._url).open("a", encoding="utf-8") as file:
                file.write(line)
        else:
            storage.publish_text(self._url, "".join(self._lines))


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
    """Event files for TensorBoard; events after the resumed step are purged."""

    def __init__(self, folder: str, step: int) -> None:
        tensorboard = importlib.import_module("torch.utils.tensorboard")  # fails where the extra is not installed
        self._writer = tensorboard.SummaryWriter(folder, purge_step=step + 1)

    def step(self, step: int) -> None:
        """Single steps are no points."""

    def report(self, report: TrainReport) -> None:
        for name in ("loss", "nll", "learning_rate", "gradient_norm", "tokens_per_second"):
            self._add(f"train/{name}", getattr(report, name), report.step)

    def validation(self, validation: Validation, seconds: float) -> None:  # noqa: ARG002 (one interface for all)
        for name in ("loss", "bleu", "chrf"):
            if getattr(validation, name) is not None:
                self._add(f"validation/{name}", getattr(validation, name), validation.step)

    def close(self) -> None:
        self._writer.close()

    def _add(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)


def build_recorders(output: str, step: int, max_steps: int | None, *, tensorboard: bool) -> list[Recorder]:
    """The recorders of the main process, for a run that starts or resumes after `step`."""
    recorders: list[Recorder] = [LogRecorder(), JsonRecorder(storage.join(output, METRICS_NAME), step)]
    if sys.stderr.isatty():
        recorders.append(BarRecorder(step, max_steps))
    if tensorboard and importlib.util.find_spec("tensorboard") is None:
        logger.info("no TensorBoard curves: the package tensorboard is not installed")
    elif tensorboard and not storage.is_local(output):
        logger.info("no TensorBoard curves: %s is not a local folder", storage.redact(output))
    elif tensorboard:
        recorders.append(TensorBoardRecorder(str(storage.local_path(storage.join(output, "tensorboard"))), step))
    return recorders


def _rows(url: str) -> list[str]:
    """The whole rows of the file; one that a kill cut short is dropped."""
    if not storage.exists(url):
        return []
    return [line + "\n" for line in storage.read_text(url).split("\n")[:-1]]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
