"""What inference says of one record: what stands in the answer, and what is doubtful about it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class Pieces:
    """What a model says of the output of one segment, piece by piece.

    Attributes:
        source: The pieces that it read, and their end.
        target: Those of the output.
        scores: The log probability of each of these, in nats; this and the next two are None unless asked for.
        alignment: The place in `source` that it looks at most, for each.
        attention: How much it looks at each place, a row for each piece of the output.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    scores: tuple[float, ...] | None = None
    alignment: tuple[int, ...] | None = None
    attention: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True)
class Prediction:
    """What inference says of one record.

    Attributes:
        text: The best output; a blank record as it was; empty for a failed one.
        score: Log probability of all its segments / their length in pieces ** length penalty; None where the model
            had nothing to do or failed, and where a search is unscored.
        n_best: The best outputs and their scores, best first, `text` included; the k-th of a record with several
            segments joins the k-th of each (the last, where a segment has fewer). Empty where `score` is None.
        segments: Number of segments the record was cut into.
        finished: False when the length limit cut the output of a segment.
        looping: Whether the output of a segment repeats itself, as its source does not; see `find_loops`.
        overlong: Whether a sentence was too long for the model, and was cut.
        parted: Whether a sentence was translated in parts, as its output would have lost some of its markup.
        error: Why the record failed; None when it did not.
        flags: The rules that find the output of a segment doubtful.
        given: Segments whose translation was given, so that no model was asked.
        second: Segments whose output is that of a second pass.
        length_ratio: Characters of the output for each of the source; this and the next are None unless asked for.
        repetition: Share of the output that stood in it before.
        copied: Share of it that stands in the source.
        language: What it is in, where that can be told.
        pieces: Of each segment that a model translated what it says of the pieces; empty unless asked for.
    """

    text: str = ""
    score: float | None = None
    n_best: tuple[tuple[str, float], ...] = ()
    segments: int = 0
    finished: bool = True
    error: str | None = None
    looping: bool = False
    overlong: bool = False
    parted: bool = False
    flags: tuple[str, ...] = ()
    given: int = 0
    second: int = 0
    length_ratio: float | None = None
    repetition: float | None = None
    copied: float | None = None
    language: str | None = None
    pieces: tuple[Pieces, ...] = ()

    def with_texts(self, text: str, n_best: tuple[tuple[str, float], ...]) -> Prediction:
        """The same with its outputs written otherwise."""
        return dataclasses.replace(self, text=text, n_best=n_best)

    @property
    def cut(self) -> bool:
        """Whether the length limit cut the output of a segment."""
        return not self.finished

    @property
    def truncated(self) -> bool | None:
        """`cut`, of what a model made."""
        return None if self.score is None else self.cut

    @property
    def doubt(self) -> str | None:
        """What makes the output doubtful; None where nothing does."""
        if self.looping:
            return "the output repeats itself" + (" up to the length limit" if self.cut else "")
        return "the output was cut at the length limit" if self.cut else None
