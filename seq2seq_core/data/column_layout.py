"""Shards and what is kept of them in; where the rows of each stand in the flat files that hold all of them, out.

    source.values    the elements of all rows, one after the other: `width` numbers of one type a position
    source.offsets   int64: row i has positions offsets[i] to offsets[i + 1]
    target.values, target.offsets; alignment.values, alignment.offsets where training shards have it

A shard is a *section* of each file. Sections stand in the order in which they came, which need not be that of a
dataset: rows of a dataset are found through *runs* of sections that follow one another in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import ShardEntry
from seq2seq_core.modalities.base import Described, Element

OFFSET = np.dtype("<i8")

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a split, counted from 0 over its shards in order."""

Key = tuple[str, int, tuple[int, ...]]
"""Digest, rows and positions in each column: what a shard is known by."""


class Kept(Protocol):
    """A column of shards that is kept: a `DatasetSide`, or the `AlignedWords`."""

    @property
    def name(self) -> str: ...

    @property
    def element(self) -> Element: ...

    @property
    def described(self) -> Described:
        """What its positions depend on beside the shard: settings, where it is no bare name."""

    def flat(self, column: pa.ChunkedArray, /) -> npt.NDArray[Any]:
        """All positions."""

    def lengths(self, column: pa.ChunkedArray, /) -> npt.NDArray[np.int64]:
        """How many of them each row has."""


@dataclass(frozen=True)
class Section:
    """Where a shard stands.

    Attributes:
        shard: xxh3-128 of its file.
        rows: Its rows.
        counts: Its positions, by column.
        first_row: The rows before it in the flat files.
        firsts: The positions before it, by column.
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
    """How far flat files are taken: rows, and positions by column."""

    row: int
    firsts: tuple[int, ...]

    def beyond(self, other: End) -> End:
        """The further of both, in each file."""
        return End(max(self.row, other.row), tuple(map(max, self.firsts, other.firsts)))


class Layout:
    """The flat files of some columns."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self.kept = tuple(kept)
        self.files = tuple(name for column in kept for name in files_of(column))

    @property
    def columns(self) -> list[str]:
        """The columns of shards that are kept."""
        return [column.name for column in self.kept]

    def key(self, shard: ShardEntry) -> Key:
        """What a shard is known by, as the manifest has it."""
        return shard.digest, shard.rows, tuple(shard.positions(column.name) for column in self.kept)

    def name(self, shards: Sequence[ShardEntry]) -> str:
        """Names the kinds of the columns, with the settings by which positions are made of shards, and shards."""
        kinds = [f"{one.name} {one.element.dtype.str} {one.element.width}{_settings(one)}" for one in self.kept]
        return storage.digest_bytes("\n".join([*kinds, *(shard.digest for shard in shards)]).encode())

    def spans(self, section: Section) -> dict[str, tuple[int, int]]:
        """The first byte of a section in each file, and that after its last.

        Offsets begin with that of the section's first row, which also ends the row before it.
        """
        offsets = section.first_row * OFFSET.itemsize, (section.first_row + section.rows + 1) * OFFSET.itemsize
        spans: dict[str, tuple[int, int]] = {}
        for column, first, count in zip(self.kept, section.firsts, section.counts, strict=True):
            values_name, offsets_name = files_of(column)
            size = position_bytes(column)
            spans |= {values_name: (first * size, (first + count) * size), offsets_name: offsets}
        return spans

    def end(self, sections: Iterable[Section]) -> End:
        """Where the next section goes that writes over none of these."""
        end = End(0, (0,) * len(self.kept))
        for section in sections:
            firsts = tuple(first + count for first, count in zip(section.firsts, section.counts, strict=True))
            end = end.beyond(End(section.first_row + section.rows, firsts))
        return end

    def end_of_bytes(self, sizes: dict[str, int]) -> End:
        """Where the next section goes that writes over nothing at all, in files of these sizes."""
        names = [files_of(column) for column in self.kept]
        rows = max(-(-sizes[offsets] // OFFSET.itemsize) for _, offsets in names)
        return End(rows, tuple(-(-sizes[v] // position_bytes(c)) for c, (v, _) in zip(self.kept, names, strict=True)))


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


def _settings(column: Kept) -> str:
    """The settings that positions depend on; nothing where there are none."""
    return "" if isinstance(column.described, str) else f" {json.dumps(column.described, sort_keys=True)}"


def files_of(column: Kept) -> tuple[str, str]:
    """The files with the values and the offsets of a column."""
    return f"{column.name}.values", f"{column.name}.offsets"


def position_bytes(column: Kept) -> int:
    """Bytes of one position."""
    return column.element.dtype.itemsize * column.element.width
