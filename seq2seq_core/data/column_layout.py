"""Shards and what their sides are in; where the rows of each stand in the flat files that hold all of them, out.

    source.values    the elements of all rows, one after the other: `width` numbers of one type a position
    source.offsets   int64: row i has positions offsets[i] to offsets[i + 1]
    target.values, target.offsets

A shard is a *section* of each file. Sections stand in the order in which they came, which need not be that of a
dataset: rows of a dataset are found through *runs* of sections that follow one another in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.dataset.sides import DatasetSide

OFFSET = np.dtype("<i8")

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a split, counted from 0 over its shards in order."""

Key = tuple[str, int, tuple[int, ...]]
"""Digest, rows and positions of each side: what a shard is known by."""


@dataclass(frozen=True)
class Section:
    """Where a shard stands.

    Attributes:
        shard: xxh3-128 of its file.
        rows: Its rows.
        counts: Its positions, by side.
        first_row: The rows before it in the flat files.
        firsts: The positions before it, by side.
        digests: xxh3-128 of what it has in each file; none where its bytes were found damaged.
    """

    shard: str
    rows: int
    counts: tuple[int, ...]
    first_row: int
    firsts: tuple[int, ...]
    digests: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.shard, self.rows, self.counts


@dataclass(frozen=True)
class End:
    """How far flat files are taken: rows, and positions by side."""

    row: int
    firsts: tuple[int, ...]

    def beyond(self, other: End) -> End:
        """The further of both, in each file."""
        return End(max(self.row, other.row), tuple(map(max, self.firsts, other.firsts)))


class Layout:
    """The flat files of some sides."""

    def __init__(self, sides: Sequence[DatasetSide]) -> None:
        self.sides = tuple(sides)
        self.files = tuple(name for side in sides for name in files_of(side))

    @property
    def columns(self) -> list[str]:
        """The columns of shards that are kept."""
        return [side.name for side in self.sides]

    def key(self, shard: ShardEntry) -> Key:
        """What a shard is known by, as the manifest has it."""
        return shard.digest, shard.rows, tuple(positions_of(shard, side) for side in self.sides)

    def name(self, shards: Sequence[ShardEntry]) -> str:
        """Names the kinds of the sides, with the settings by which positions are made of shards, and shards."""
        kinds = [f"{side.name} {side.element.dtype.str} {side.element.width}{_settings(side)}" for side in self.sides]
        return storage.digest_bytes("\n".join([*kinds, *(shard.digest for shard in shards)]).encode())

    def spans(self, section: Section) -> dict[str, tuple[int, int]]:
        """The first byte of a section in each file, and that after its last.

        Offsets begin with that of the section's first row, which also ends the row before it.
        """
        offsets = section.first_row * OFFSET.itemsize, (section.first_row + section.rows + 1) * OFFSET.itemsize
        spans: dict[str, tuple[int, int]] = {}
        for side, first, count in zip(self.sides, section.firsts, section.counts, strict=True):
            values_name, offsets_name = files_of(side)
            size = position_bytes(side)
            spans |= {values_name: (first * size, (first + count) * size), offsets_name: offsets}
        return spans

    def end(self, sections: Iterable[Section]) -> End:
        """Where the next section goes that writes over none of these."""
        end = End(0, (0,) * len(self.sides))
        for section in sections:
            firsts = tuple(first + count for first, count in zip(section.firsts, section.counts, strict=True))
            end = end.beyond(End(section.first_row + section.rows, firsts))
        return end

    def end_of_bytes(self, sizes: dict[str, int]) -> End:
        """Where the next section goes that writes over nothing at all, in files of these sizes."""
        names = [files_of(side) for side in self.sides]
        rows = max(-(-sizes[offsets] // OFFSET.itemsize) for _, offsets in names)
        return End(rows, tuple(-(-sizes[v] // position_bytes(s)) for s, (v, _) in zip(self.sides, names, strict=True)))


class Runs:
    """Where the rows of a dataset stand in flat files."""

    def __init__(self, sections: Iterable[Section]) -> None:
        starts, shifts, row, end = [0], [0], 0, 0
        for section in sections:
            if section.rows and section.first_row != end:
                starts.append(row)
                shifts.append(section.first_row - row)
            if section.rows:
                row, end = row + section.rows, section.first_row + section.rows
        self.rows = row
        self._starts, self._shifts = np.array(starts), np.array(shifts)

    def places(self, rows: Rows) -> Rows:
        """Numbers of rows in the flat files."""
        if len(self._starts) == 1:
            return rows
        places: Rows = rows + self._shifts[np.searchsorted(self._starts, rows, side="right") - 1]
        return places

    def slices(self, begin: int, end: int) -> list[slice]:
        """The places of rows that follow one another, run by run."""
        inside = self._starts[(self._starts > begin) & (self._starts < end)].tolist()
        firsts = np.array([begin, *inside])
        lasts = np.array([*inside, end]) - 1
        return [slice(*place) for place in zip(self.places(firsts), self.places(lasts) + 1, strict=True)]


def _settings(side: DatasetSide) -> str:
    """The settings of a modality; nothing where it has none."""
    described = side.modality.described
    return "" if isinstance(described, str) else f" {json.dumps(described, sort_keys=True)}"


def files_of(side: DatasetSide) -> tuple[str, str]:
    """The files with the values and the offsets of a side."""
    return f"{side.name}.values", f"{side.name}.offsets"


def position_bytes(side: DatasetSide) -> int:
    """Bytes of one position."""
    return side.element.dtype.itemsize * side.element.width


def positions_of(shard: ShardEntry, side: DatasetSide) -> int:
    """Positions of all rows of a shard, as the manifest has them."""
    return {"source": shard.source_tokens, "target": shard.target_tokens}[side.name]
