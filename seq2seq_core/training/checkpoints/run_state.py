"""The small frozen records of a run: how far it is, what was measured since the last report, and its validations."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

import pydantic

from seq2seq_core.data.stream import EpochStart
from seq2seq_core.dataset.segment import Segment
from seq2seq_core.errors import Seq2SeqError
from seq2seq_core.metrics.measures import MEASURES, RECOGNITION, SCORES, Judge, MeasureName

Score = tuple[float, float]
"""How good a validation is: more is better, compared element by element."""


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Window(_Record):
    """Sums over the steps since the last report; losses in nats, tokens are target tokens."""

    loss: float = 0.0
    nll: float = 0.0
    auxiliary: float = 0.0
    gradient_norm: float = 0.0
    tokens: int = 0
    steps: int = 0

    def plus(self, loss: float, nll: float, gradient_norm: float, tokens: int, auxiliary: float = 0.0) -> Window:
        """The window with one more step in it."""
        return Window(
            loss=self.loss + loss,
            nll=self.nll + nll,
            auxiliary=self.auxiliary + auxiliary,
            gradient_norm=self.gradient_norm + gradient_norm,
            tokens=self.tokens + tokens,
            steps=self.steps + 1,
        )


class Validation(_Record):
    """One look at the validation split; what was not measured is None.

    Attributes:
        loss: The plain negative log likelihood in nats per target token.
        bleu, chrf, wer, cer: Of what search makes of the split, in points of 100.
    """

    step: int
    epoch: int
    loss: float
    bleu: float | None = None
    chrf: float | None = None
    wer: float | None = None
    cer: float | None = None
    seconds: float

    @pydantic.model_serializer(mode="wrap")
    def _as_it_was(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Error rates that were not measured are left out, as in checkpoints from before there were any."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if name not in RECOGNITION or value is not None}

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)

    @property
    def scores(self) -> dict[MeasureName, float]:
        """What was measured of outputs, by name."""
        values = {name: getattr(self, name) for name in SCORES}
        return {name: value for name, value in values.items() if value is not None}

    def score(self, judge: Judge) -> Score:
        """What decides, turned so that more is better, then the loss, for ties such as BLEU 0 at the start."""
        if isinstance(judge, str):
            return self._goodness(judge), _finite(-self.loss)
        return _finite(sum(weight * self._goodness(name) for name, weight in judge.items())), _finite(-self.loss)

    def _goodness(self, name: MeasureName) -> float:
        value: float | None = getattr(self, name)
        if value is None:
            raise Seq2SeqError(f"the validation of step {self.step} did not measure {name}")
        return _finite(-value if MEASURES[name].lower_is_better else value)


class Ended(_Record):
    """What the end of a run has made: digests of the configuration it was made by, and of best/ and last/."""

    configuration: str
    best: str
    last: str


class RunState(_Record):
    """How far a run is: all that a checkpoint holds beside tensors.

    Attributes:
        step: Global batches consumed, those skipped for non-finite values included.
        position: The next global batch in the data's stream.
        epoch: The pass over the data, from 0, that the latest batch belongs to.
        start: Where the epoch starts that the next batch belongs to; None in checkpoints of earlier versions.
        segments: What is learned from, and since which step; nothing in checkpoints of earlier versions.
        seconds: Time trained over all resumptions, validation included.
        drawn: Rows of each of several datasets that the steps had; nothing where there is one dataset.
        skipped, skipped_in_a_row: Steps without an update, in all and up to now without a good one between.
        failed_validations: `validation.max_batch_tokens` of each try to validate this step that failed.
        ended: Of a run that has come to its end, what that has made.
    """

    step: int = 0
    position: int = 0
    epoch: int = 0
    start: EpochStart | None = None
    segments: tuple[Segment, ...] = ()
    drawn: tuple[int, ...] = ()
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    window: Window = Window()
    validations: tuple[Validation, ...] = ()
    failed_validations: tuple[int, ...] = ()
    ended: Ended | None = None

    @pydantic.model_serializer(mode="wrap")
    def _of_one_dataset_as_ever(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name != "drawn" or value}

    def best(self, judge: Judge, steps: Collection[int] | None = None) -> Validation | None:
        """The validation with the best score, the earliest of equals; of those of some steps, where they are given."""
        among = (validation for validation in self.validations if steps is None or validation.step in steps)
        return max(among, key=lambda validation: validation.score(judge), default=None)

    def since_best(self, judge: Judge) -> int:
        """Validations after the best one."""
        best = self.best(judge)
        return sum(1 for validation in self.validations if best is not None and validation.step > best.step)

    def plateaus(self, judge: Judge, patience: int) -> int:
        """How often so many validations in a row brought no new best; after each time they are counted anew."""
        best: Score | None = None
        found = stale = 0
        for validation in self.validations:
            score = validation.score(judge)
            is_best = best is None or score > best
            best, stale = (score, 0) if is_best else (best, stale + 1)
            if stale >= patience:
                found, stale = found + 1, 0
        return found


def _finite(value: float) -> float:
    """What is no number is worse than every number."""
    return -math.inf if math.isnan(value) else value


def perplexity(nll: float) -> float:
    """`e**nll`, infinite where that leaves the range of a float."""
    try:
        return math.exp(nll)
    except OverflowError:
        return math.inf


def to_json(values: Any, indent: int | None = None) -> str:
    """Plain values as JSON that every program reads: what is no finite number becomes a text, such as "NaN".

    The records above and `report.metrics` read such texts as the numbers they stand for.
    """
    return json.dumps(_written_out(values), indent=indent, allow_nan=False)


def _written_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _written_out(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written_out(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
