"""Texts and what they have become in, figures that tell of doubtful outputs out: for all of them at once.

Shape legend: n pairs of texts, N bytes of all texts of a side end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.octets import Floats, Ints
from seq2seq_core.text.rules.language_id import identifier

FEWEST_LETTERS = 20
"""Texts with fewer are in no language that can be told (as for the rule `language`)."""

_WINDOW = 8
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: neighbours fall far apart
_Keys = npt.NDArray[np.uint64]


class Measures(NamedTuple):
    """What is measured of each pair.

    Attributes:
        length_ratio: Characters of the output for each of the source (float64, n).
        repetition: Share of the output's stretches of eight bytes that stood in it before (float64, n).
        copied: Share of its distinct stretches that stand in the source; of shorter outputs whether they equal it
            (float64, n).
        language: What the output is in, by py3langid; None where it is too short, or that is not installed.
    """

    length_ratio: Floats
    repetition: Floats
    copied: Floats
    language: list[str | None]


def measure(sources: Sequence[str], outputs: Sequence[str]) -> Measures:
    """Measure pairs, none of which depends on another."""
    source, output = (TextColumn(pa.array(texts, pa.string())) for texts in (sources, outputs))
    windows = [_windows(texts) for texts in (source, output)]
    distinct, first = np.unique(windows[1].keys, return_index=True)
    of_distinct = np.bincount(windows[1].rows[first], minlength=len(output))
    shared = np.isin(distinct, windows[0].keys)
    of_shared = np.bincount(windows[1].rows[first[shared]], minlength=len(output))
    total = np.bincount(windows[1].rows, minlength=len(output))
    same = np.fromiter((a == b for a, b in zip(sources, outputs, strict=True)), np.float64, len(output))
    return Measures(
        length_ratio=output.characters / np.maximum(source.characters, 1),
        repetition=np.where(total > 0, 1 - of_distinct / np.maximum(total, 1), 0.0),
        copied=np.where(total > 0, of_shared / np.maximum(of_distinct, 1), same),
        language=_languages(output),
    )


class _Windows(NamedTuple):
    """The stretches of eight bytes of all texts: the row of each, and a number for the two."""

    rows: Ints
    keys: _Keys


def _windows(texts: TextColumn) -> _Windows:
    rows_N = np.repeat(np.arange(len(texts)), texts.bytes)
    count = max(0, len(texts.data) - _WINDOW + 1)
    keys = np.zeros(count, np.uint64)
    for place in range(_WINDOW):
        keys = keys << np.uint64(8) | texts.data[place : place + count]
    inside = rows_N[:count] == rows_N[_WINDOW - 1 :][:count]
    rows = rows_N[:count][inside]
    mixed = (keys[inside] ^ (rows.astype(np.uint64) * _MIX)) * _MIX
    return _Windows(rows, mixed ^ (mixed >> np.uint64(32)))


def _languages(texts: TextColumn) -> list[str | None]:
    found: list[str | None] = [None] * len(texts)
    long = np.flatnonzero(texts.letters >= FEWEST_LETTERS)
    try:
        model = identifier() if len(long) else None
    except ModuleNotFoundError:
        return found
    if model is not None:
        best = model.probabilities(texts.column.take(pa.array(long))).argmax(axis=1)
        for place, label in zip(long.tolist(), best.tolist(), strict=True):
            found[place] = model.labels[label]
    return found
