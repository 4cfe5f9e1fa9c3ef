"""Words with times of hypotheses and references in; how far the times of the same words lie apart, out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from seq2seq_core.metrics.edits import common_words
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.utterances import Timed

TOLERANCE_SECONDS: Final = 0.2


class WordTimes(NamedTuple):
    """How well times fit.

    Attributes:
        words: Words that were recognised, and whose begin both sides tell.
        within: Those that begin at most `tolerance` seconds from the truth.
        tolerance: See `within`.
        median: The middle distance, in seconds.
    """

    words: int
    within: int
    tolerance: float
    median: float

    @property
    def share(self) -> float:
        """Of the words, those within the tolerance, in points of 100."""
        return 100 * self.within / self.words

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return {**self._asdict(), "share": self.share}


def compare_times(
    metric: RecognitionMetric, hypotheses: Sequence[Sequence[Timed]], references: Sequence[Sequence[Timed]]
) -> WordTimes | None:
    """Compare the begins of recognised words; None where there are none with times on both sides.

    A piece of several words tells of the first of them when it begins.
    """
    distances: list[float] = []
    for ours, theirs in zip(hypotheses, references, strict=True):
        words, begins = zip(*(_spread(metric, pieces) for pieces in (ours, theirs)), strict=True)
        hits = common_words(*words)
        distances += [abs(begins[0][place] - begins[1][other]) for place, other in hits]
    known = np.array([distance for distance in distances if not np.isnan(distance)])
    if not len(known):
        return None
    within = int((known <= TOLERANCE_SECONDS + 1e-9).sum())
    return WordTimes(len(known), within, TOLERANCE_SECONDS, float(np.median(known)))


def _spread(metric: RecognitionMetric, pieces: Sequence[Timed]) -> tuple[list[str], list[float]]:
    """All words, and when each begins, as far as that is known."""
    found = list(_words(metric, pieces))
    return [word for word, _ in found], [begin for _, begin in found]


def _words(metric: RecognitionMetric, pieces: Sequence[Timed]) -> Iterator[tuple[str, float]]:
    for piece, words in zip(pieces, metric.words([piece.text for piece in pieces]), strict=True):
        for place, word in enumerate(words):
            yield word, np.nan if place else piece.begin
