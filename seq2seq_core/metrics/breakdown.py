"""Hypotheses beside references in; error rates in all, by length and by speaker, and the commonest errors, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core.metrics.edits import Confusion
from seq2seq_core.metrics.recognition import RecognitionMetric, RecognitionScores, Sums
from seq2seq_core.metrics.times import WordTimes, compare_times
from seq2seq_core.metrics.utterances import Matched

_LAST_WORDS: Final = (0, 5, 10, 20, 40)
_UNKNOWN_SPEAKER: Final = "(unknown)"


class Breakdown(NamedTuple):
    """What is told of a test set.

    Attributes:
        main: The rate that such a language is usually judged by.
        signatures: That of each rate.
        total: The whole set.
        lengths: Parts of it by the words of the reference.
        speakers: Parts of it by speaker, where they are known.
        confusions: The commonest errors.
        missing: Ids of utterances without a hypothesis, which count as empty ones.
        unknown: Ids of hypotheses without a reference, which do not count.
        times: How well the times of words fit, where both sides tell them.
    """

    main: Literal["wer", "cer"]
    signatures: dict[str, str]
    total: RecognitionScores
    lengths: dict[str, RecognitionScores]
    speakers: dict[str, RecognitionScores]
    confusions: list[Confusion]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    times: WordTimes | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            **self.total.to_json(),
            "signatures": self.signatures,
            "lengths": _to_json(self.lengths),
            "speakers": _to_json(self.speakers),
            "confusions": [confusion._asdict() for confusion in self.confusions],
            "missing": list(self.missing),
            "unknown": list(self.unknown),
            "times": self.times.to_json() if self.times else None,
        }


def break_down(matched: Matched, metric: RecognitionMetric, confusions: int) -> Breakdown:
    """Score a test set and its parts; at most so many confusions are told.

    Raises:
        InputError: There is nothing to score.
    """
    pairs = metric.pairs(matched.hypotheses, matched.references)
    counts = metric.counts(pairs)
    total = metric.scores(counts.sum(axis=0))
    bins = np.searchsorted(_LAST_WORDS, metric.count_words(pairs.references))
    speakers = [name or _UNKNOWN_SPEAKER for name in matched.speakers or ()]
    return Breakdown(
        metric.main,
        {rate: metric.signature(rate) for rate in ("wer", "cer")},
        total,
        {_words(place): scores for place, scores in _parts(metric, counts, bins.tolist()).items()},
        _parts(metric, counts, speakers) if speakers else {},
        metric.confusions(pairs, confusions),
        matched.missing,
        matched.unknown,
        compare_times(metric, *matched.times) if matched.times else None,
    )


def _parts(metric: RecognitionMetric, counts: Sums, keys: Sequence[Any]) -> dict[Any, RecognitionScores]:
    """The scores of the rows of each key, in the order of the keys."""
    order = sorted(set(keys))
    places = {key: place for place, key in enumerate(order)}
    sums: npt.NDArray[np.int64] = np.zeros((len(order), counts.shape[1]), np.int64)
    np.add.at(sums, [places[key] for key in keys], counts)
    return {key: metric.scores(row) for key, row in zip(order, sums, strict=True)}


def _words(place: int) -> str:
    """What a bin of lengths is called."""
    if place == len(_LAST_WORDS):
        return f"more than {_LAST_WORDS[-1]}"
    first, last = (_LAST_WORDS[place - 1] + 1, _LAST_WORDS[place]) if place else (0, 0)
    return f"{first} to {last}" if last else "none"


def _to_json(parts: Mapping[str, RecognitionScores]) -> dict[str, Any]:
    return {name: scores.to_json() for name, scores in parts.items()}
