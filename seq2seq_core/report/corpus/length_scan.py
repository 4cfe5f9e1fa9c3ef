"""The length columns of all training rows in; their ratios as a histogram, and where the extreme rows stand, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.report.corpus.sample import Place

RATIO_OCTAVES, RATIO_BINS_AN_OCTAVE = 4, 8
"""Ratios are counted from 2 to the power of minus 4 to 2 to the power of 4, in 8 bins each time they double."""


@dataclass(frozen=True)
class Extreme:
    """A training row that stands out, and the value it does so by."""

    place: Place
    value: float


@dataclass(frozen=True)
class LengthScan:
    """What the lengths of all training rows tell.

    Attributes:
        ratios: Rows by target tokens over source tokens, in bins of equal width of the ratio's logarithm; the first
            and last bin count all rows beyond them too. Rows with an empty side have no ratio.
        longest: The rows with the most tokens on their longer side.
        highest: Those with the highest ratio; `lowest` those with the lowest.
    """

    ratios: tuple[int, ...]
    longest: tuple[Extreme, ...]
    highest: tuple[Extreme, ...]
    lowest: tuple[Extreme, ...]


def scan_lengths(dataset: Dataset, most: int) -> LengthScan:
    """Read the lengths shard by shard; `most` extreme rows of each kind are kept.

    Raises:
        DatasetError: A shard is missing or damaged.
    """
    split = dataset.manifest.splits.get("train")
    ratios = np.zeros(2 * RATIO_OCTAVES * RATIO_BINS_AN_OCTAVE, np.int64)
    longest: list[Extreme] = []
    highest: list[Extreme] = []
    lowest: list[Extreme] = []
    for shard in split.shards if split else ():
        table = dataset.read_shard(shard, ["source_length", "target_length"])
        source, target = (table.column(f"{side}_length").to_numpy().astype(np.int64) for side in ("source", "target"))
        longest = _merge(longest, shard, np.maximum(source, target).astype(np.float64), most)
        logs = np.full(len(source), np.nan)
        paired = (source > 0) & (target > 0)
        logs[paired] = np.log2(target[paired] / source[paired])
        ratios += _histogram(logs[paired])
        highest = _merge(highest, shard, logs, most)
        lowest = _merge(lowest, shard, -logs, most)
    return LengthScan(
        ratios=tuple(ratios.tolist()),
        longest=tuple(longest),
        highest=tuple(Extreme(found.place, 2.0**found.value) for found in highest if found.value > 0),
        lowest=tuple(Extreme(found.place, 2.0**-found.value) for found in lowest if found.value > 0),
    )


def _merge(known: Sequence[Extreme], shard: ShardEntry, values: npt.NDArray[np.float64], most: int) -> list[Extreme]:
    """The largest values seen so far, earlier rows first among equals; rows without a number are no candidates."""
    order = np.argsort(-values, kind="stable")[:most]
    found = [Extreme(Place(shard, int(row)), float(values[row])) for row in order if not np.isnan(values[row])]
    return sorted([*known, *found], key=lambda extreme: -extreme.value)[:most]


def _histogram(logs: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    bins = 2 * RATIO_OCTAVES * RATIO_BINS_AN_OCTAVE
    places = np.floor(logs * RATIO_BINS_AN_OCTAVE).astype(np.int64) + bins // 2
    counts: npt.NDArray[np.int64] = np.bincount(np.clip(places, 0, bins - 1), minlength=bins)
    return counts
