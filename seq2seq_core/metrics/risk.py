"""Texts that may be meant in, their places in the order of what they have in common with all others out.

Minimum Bayes risk (Kumar and Byrne 2004) with chrF for a measure: the best text is the one that is expected to score
highest if what was meant is one of them, each with its own probability. A text that is there twice counts twice.
Precision counts as much as recall: with the usual chrF2 long texts would win.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from fastchrf import pairwise_chrf

_BETA = 1.0
_THE_SAME = 100.0  # also of two empty texts, which chrF gives 0


def by_agreement(rows: Sequence[Sequence[str]], weights: Sequence[npt.NDArray[np.float64]]) -> list[list[int]]:
    """Of each row the places of its texts, that of the most expected chrF first; of equal ones the earlier first.

    Args:
        rows: Texts, at least one a row.
        weights: A row's is as long as the row: how probable each text is, in any unit.
    """
    if not rows:
        return []
    distinct = [list(dict.fromkeys(row)) for row in rows]
    alike = pairwise_chrf(distinct, distinct, beta=_BETA)
    return [_order(*row) for row in zip(rows, distinct, alike, weights, strict=True)]


def _order(
    texts: Sequence[str], distinct: Sequence[str], alike: Sequence[Sequence[float]], weights: npt.NDArray[np.float64]
) -> list[int]:
    number = {text: i for i, text in enumerate(distinct)}
    numbers = np.array([number[text] for text in texts])
    chrf = np.array(alike)
    np.fill_diagonal(chrf, _THE_SAME)
    expected = chrf @ np.bincount(numbers, weights)
    order: list[int] = np.argsort(-expected[numbers], kind="stable").tolist()
    return order
