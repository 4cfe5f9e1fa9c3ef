"""What a validation can measure, by name, in; what people call it, and which way is better, out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

MeasureName = Literal["bleu", "chrf", "wer", "cer", "loss"]


Judge = MeasureName | Mapping[MeasureName, float]
"""What decides which of two validations is better: a measure, or the weights of several in a sum."""


class Measure(NamedTuple):
    """A number about a model's outputs.

    Attributes:
        label: How it is written.
        lower_is_better: Whether a smaller value is the better one.
    """

    label: str
    lower_is_better: bool = False


MEASURES: Final[Mapping[MeasureName, Measure]] = {
    "bleu": Measure("BLEU"),
    "chrf": Measure("chrF"),
    "wer": Measure("WER", lower_is_better=True),
    "cer": Measure("CER", lower_is_better=True),
    "loss": Measure("loss", lower_is_better=True),
}

TRANSLATION: Final[tuple[MeasureName, ...]] = ("bleu", "chrf")
RECOGNITION: Final[tuple[MeasureName, ...]] = ("wer", "cer")
SCORES: Final[tuple[MeasureName, ...]] = tuple(name for name in get_args(MeasureName) if name != "loss")
"""What is measured on outputs, in points of 100."""


def judging(judge: Judge) -> tuple[MeasureName, ...]:
    """The measures that decide."""
    return (judge,) if isinstance(judge, str) else tuple(judge)


def label_of(judge: Judge) -> str:
    """How log lines call it."""
    return judge if isinstance(judge, str) else " + ".join(f"{weight:g} {name}" for name, weight in judge.items())
