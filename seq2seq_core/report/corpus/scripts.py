"""Texts in; how many of their letters belong to which script of Unicode, over all and row by row, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

OTHER = "other"
_NAMES = (
    "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Han", "Hiragana", "Katakana", "Hangul", "Devanagari", "Thai",
    "Bengali", "Tamil", "Telugu", "Kannada", "Malayalam", "Gujarati", "Gurmukhi", "Oriya", "Sinhala", "Khmer", "Lao",
    "Myanmar", "Tibetan", "Georgian", "Armenian", "Ethiopic", "Mongolian", "Cherokee", "Tifinagh", "Thaana", "Syriac",
    "Bopomofo", "Common",
)  # fmt: skip


@dataclass(frozen=True)
class Scripts:
    """Letters by script.

    Attributes:
        names: The scripts that occur, the most frequent first.
        counts: int64, letters of each.
        by_row: int64, rows x scripts, letters of each in each row.
    """

    names: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    by_row: npt.NDArray[np.int64]


def count_scripts(texts: Sequence[str]) -> Scripts:
    """Count the letters (Unicode's category L) of each text by the script property of Unicode.

    Letters that many scripts share are `Common` (the Japanese length mark), those of rare scripts `other`.
    """
    points = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4")
    distinct, codes = np.unique(points, return_inverse=True)
    script_of = _classify([chr(point) for point in distinct.tolist()])
    kinds = script_of[codes] if len(points) else np.zeros(0, np.int64)
    rows = np.repeat(np.arange(len(texts)), np.fromiter(map(len, texts), np.int64, len(texts)))
    width = len(_NAMES) + 2
    by_row = np.bincount(rows * width + kinds, minlength=len(texts) * width).reshape(len(texts), width)[:, 1:]
    totals = by_row.sum(axis=0)
    order = [int(i) for i in np.argsort(-totals, kind="stable") if totals[i]]
    names = (*_NAMES, OTHER)
    return Scripts(tuple(names[i] for i in order), totals[order], by_row[:, order])


def _classify(characters: list[str]) -> npt.NDArray[np.int64]:
    """0 for what is no letter, else 1 + the position of its script; RE2, behind Arrow, knows the property."""
    column = pa.array(characters, pa.string())
    kinds = np.where(_matches(column, r"\p{L}"), len(_NAMES) + 1, 0)
    for position, name in enumerate(_NAMES):
        left = np.flatnonzero(kinds == len(_NAMES) + 1)
        if not len(left):
            break
        kinds[left[_matches(column.take(pa.array(left)), rf"\p{{{name}}}")]] = position + 1
    return kinds.astype(np.int64)


def _matches(column: pa.StringArray, pattern: str) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.match_substring_regex(column, pattern).to_numpy(zero_copy_only=False)
    return found.astype(bool)
