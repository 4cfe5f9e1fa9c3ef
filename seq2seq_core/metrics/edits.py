"""Words or characters of hypotheses and references in; how many were recognised, replaced, lost and made up, out.

The alignment is that of jiwer: the fewest edits (Levenshtein, 1966), found by RapidFuzz.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

HITS, SUBSTITUTIONS, DELETIONS, INSERTIONS = range(4)
"""The columns of counts."""

_COLUMNS = {"equal": HITS, "substitute": SUBSTITUTIONS, "delete": DELETIONS, "insert": INSERTIONS}

Counts = npt.NDArray[np.int64]


class Confusion(NamedTuple):
    """A word that was taken for another; the reference is empty where it was made up, the hypothesis where lost."""

    reference: str
    hypothesis: str
    times: int


def count_words(hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
    """Counts of each pair of texts, whose words stand between spaces: int64 [n, 4]."""
    return _counts(_words(hypotheses, references)) if references else np.zeros((0, 4), np.int64)


def count_characters(hypotheses: Sequence[str], references: Sequence[str]) -> Counts:
    """The same of characters, single spaces between words among them."""
    if not references:
        return np.zeros((0, 4), np.int64)
    return _counts(importlib.import_module("jiwer").process_characters(list(references), list(hypotheses)))


def confusions(hypotheses: Sequence[str], references: Sequence[str], most: int) -> list[Confusion]:
    """The commonest words that were replaced, lost or made up; those of equal counts in the order of their letters."""
    found: Counter[tuple[str, str]] = Counter()
    if references:
        output = _words(hypotheses, references)
        for reference, hypothesis, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
            for chunk in chunks:
                found.update(_confused(chunk, reference, hypothesis))
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(*pair, times) for pair, times in ranked[:most]]


def common_words(hypothesis: Sequence[str], reference: Sequence[str]) -> list[tuple[int, int]]:
    """The places of the words, without spaces, of two texts that are the same in both: in the one, and in the other."""
    if not hypothesis or not reference:
        return []
    (chunks,) = _words([" ".join(hypothesis)], [" ".join(reference)]).alignments
    return [
        (chunk.hyp_start_idx + step, chunk.ref_start_idx + step)
        for chunk in chunks
        if chunk.type == "equal"
        for step in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]


def _words(hypotheses: Sequence[str], references: Sequence[str]) -> Any:
    return importlib.import_module("jiwer").process_words(list(references), list(hypotheses))


def _counts(output: Any) -> Counts:
    counts = np.zeros((len(output.alignments), 4), np.int64)
    for row, chunks in enumerate(output.alignments):
        for chunk in chunks:
            length = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
            counts[row, _COLUMNS[chunk.type]] += length
    return counts


def _confused(chunk: Any, reference: list[str], hypothesis: list[str]) -> list[tuple[str, str]]:
    """The pairs of words of a part of an alignment; none where they are equal."""
    theirs = reference[chunk.ref_start_idx : chunk.ref_end_idx]
    ours = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
    if chunk.type == "equal":
        return []
    if chunk.type == "substitute":
        return list(zip(theirs, ours, strict=True))
    return [(word, "") for word in theirs] + [("", word) for word in ours]
