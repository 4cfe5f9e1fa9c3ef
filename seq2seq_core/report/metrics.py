"""`metrics.jsonl` of a training run in, its reports and validations out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydantic

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.metrics.measures import MEASURES, MeasureName


class _Row(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True)


class TrainPoint(_Row):
    """Means over the steps since the report before; losses in nats a token, `seconds` since the run began.

    Shares of positions, time and what the device can do are from 0 to 1, memory is in bytes; None in older runs.
    `drawn` are rows since the run began, by dataset, where there are several.
    """

    step: int
    epoch: int
    loss: float
    perplexity: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds: float
    padding: float | None = None
    data_wait: float | None = None
    utilization: float | None = None
    peak_memory: float | None = None
    drawn: dict[str, int] = {}


class ValidationPoint(_Row):
    """One look at the validation set; scores in points of 100, None where they were not measured."""

    step: int
    loss: float
    perplexity: float
    bleu: float | None = None
    chrf: float | None = None
    wer: float | None = None
    cer: float | None = None

    def goodness(self, name: MeasureName) -> float | None:
        """A measure turned so that more is better."""
        value: float | None = getattr(self, name)
        return -value if value is not None and MEASURES[name].lower_is_better else value


@dataclass(frozen=True)
class Metrics:
    """The course of a run, in the order of its steps."""

    train: tuple[TrainPoint, ...]
    validation: tuple[ValidationPoint, ...]

    def best(self, key: Callable[[ValidationPoint], float | None]) -> ValidationPoint | None:
        """The validation with the largest value of `key` that is a number; None without any.

        Of equals it is the one with the lowest loss, and of these the earliest, as in training (`Validation.score`).
        """
        known = [
            (value, -math.inf if math.isnan(point.loss) else -point.loss, point)
            for point in self.validation
            if (value := key(point)) is not None and not math.isnan(value)
        ]
        return max(known, key=lambda found: found[:2])[2] if known else None


def load_metrics(url: str) -> Metrics:
    """Read a metrics file; a last line that a kill cut short is left out, unknown kinds and keys are ignored.

    Raises:
        StorageError: There is no such file.
        InputError: A line is not one of ours; it is named.
    """
    train: list[TrainPoint] = []
    validation: list[ValidationPoint] = []
    for number, line in enumerate(storage.read_text(url).split("\n")[:-1], start=1):
        row = _parse(line, where := f"{storage.redact(url)}:{number}")
        try:
            if row.get("kind") == "train":
                train.append(TrainPoint.model_validate(row))
            elif row.get("kind") == "validation":
                validation.append(ValidationPoint.model_validate(row))
        except pydantic.ValidationError as error:
            problem = error.errors(include_url=False)[0]
            name = ".".join(map(str, problem["loc"]))
            raise InputError(f"a metric does not fit: {name}", where=where, found=problem["msg"]) from None
    return Metrics(tuple(train), tuple(validation))


def _parse(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError("a line of the metrics is not JSON", where=where, found=error) from None
    if not isinstance(row, dict):
        raise InputError("a line of the metrics is not an object", where=where, found=type(row).__name__)
    return row
