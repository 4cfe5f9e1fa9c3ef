"""What a segment has become, as it goes from the engine to the record that it is a part of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.documents.prediction import Pieces


class Asked(NamedTuple):
    """A segment, and what its output has to begin with."""

    text: str
    prefix: str = ""


@dataclass(frozen=True)
class Answer:
    """What has become of a segment.

    Attributes:
        texts: Its outputs, best first, each on one line; none where it failed.
        hypotheses: What the engine said, as many; none where a translation was given, or nothing was there to do.
        looping: Whether the best output repeats itself, as the segment does not.
        error: Why it failed; None when it did not.
        flags: The rules that find it doubtful.
        is_given: Whether it comes from a file of translations, not from the model.
        is_second: Whether it comes from a second pass.
        pieces: What the model says of the pieces of the best output, where that is asked for.
    """

    texts: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    looping: bool = False
    error: str | None = None
    flags: tuple[str, ...] = ()
    is_given: bool = False
    is_second: bool = False
    pieces: Pieces | None = None

    @property
    def finished(self) -> bool:
        """False when the length limit cut the best output."""
        return not self.hypotheses or self.hypotheses[0].finished

    @property
    def score(self) -> float | None:
        """The score of the best output; None where no model made it."""
        return self.hypotheses[0].score if self.hypotheses else None


class Answers(Protocol):
    """Translates segments, for a second pass."""

    def answers(self, segments: Sequence[Asked]) -> dict[Asked, Answer]:
        """What becomes of each segment."""
        ...


class Revises(Protocol):
    """Looks at answers before records are made of them."""

    def revised(self, answers: dict[Asked, Answer]) -> dict[Asked, Answer]:
        """The answers of segments, those that are doubtful with their flags, or others in their place."""
        ...
