"""Texts that may be meant in, their places in the order of what they have in common with all others out.

Minimum Bayes risk (Kumar and Byrne 2004) with chrF for a measure: the best text is the one that is expected to score
highest, each of the others being as probable as the next (Eikema and Aziz 2020). So a text that is there twice, as
samples may be, counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sacrebleu.metrics.chrf import CHRF

_CHRF = CHRF()


def by_agreement(texts: Sequence[str]) -> list[int]:
    """The places of the texts, that of the most expected chrF first; of equal ones the earlier first."""
    counts = Counter(texts)
    if len(counts) == 1:
        return list(range(len(texts)))
    expected = {text: sum(n * _similarity(text, other) for other, n in counts.items()) for text in counts}
    return sorted(range(len(texts)), key=lambda place: -expected[texts[place]])


def _similarity(text: str, other: str) -> float:
    return 100.0 if text == other else float(_CHRF.sentence_score(text, [other]).score)
