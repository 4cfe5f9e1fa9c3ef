"""Lengths of rows in; their order by length, and bins of a limited number of padded positions, out.

The width of a row is the larger of its source and target length with EOS. `k` rows padded to a width `w` count as
`k * w` padded tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from seq2seq_core.data.column_layout import Rows
from seq2seq_core.dataset.reader import Lengths

_MOST_UNEVEN = 1.1

Keys = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]


class RowLengths(Protocol):
    """The lengths of all rows of a split, wherever they are kept."""

    @property
    def rows(self) -> int:
        """How many rows there are."""

    def of(self, rows: Rows) -> Lengths:
        """Those of some rows."""

    def between(self, begin: int, end: int) -> Lengths:
        """Those of the rows from one number on up to another."""


@dataclass(frozen=True)
class SomeLengths:
    """The lengths of the rows from one number on up to another, which are counted from 0 on."""

    lengths: RowLengths
    begin: int
    end: int

    @property
    def rows(self) -> int:
        return self.end - self.begin

    def of(self, rows: Rows) -> Lengths:
        """Those of some rows."""
        return self.lengths.of(rows + self.begin)

    def between(self, begin: int, end: int) -> Lengths:
        """Those of the rows from one number on up to another."""
        return self.lengths.between(self.begin + begin, self.begin + end)


@dataclass(frozen=True)
class OrderedLengths:
    """The lengths of rows that are counted in an order of their own; `order` has the number of each."""

    lengths: RowLengths
    order: npt.NDArray[np.uint32]

    @property
    def rows(self) -> int:
        return len(self.order)

    def of(self, rows: Rows) -> Lengths:
        """Those of some rows."""
        return self.lengths.of(self.order[rows].astype(np.int64))

    def between(self, begin: int, end: int) -> Lengths:
        """Those of the rows from one number on up to another."""
        return self.lengths.of(self.order[begin:end].astype(np.int64))


def widths_of(lengths: Lengths) -> npt.NDArray[np.int32]:
    """The width of each row."""
    widths: npt.NDArray[np.int32] = np.maximum(lengths.source, lengths.target) + np.int32(1)
    return widths


class LengthOrder:
    """An order of rows, as a key of each: by width; in one width by source minus target length, up and down in turn.

    Rows of one width differ in which side is the shorter and by how much, so the difference groups them best; up and
    down in turn (as an ox ploughs), because then a batch that spans two widths spans few differences. Measured on
    log-normal lengths, 95 to 99.6 % of the positions of a bin are real tokens, against 93 to 97 % by width alone.

    Args:
        most: The largest width.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._differences = 2 * most + 1
        self._end = (most + 1) * self._differences
        self.dtype = np.dtype(np.uint32 if self._end <= 1 << 32 else np.uint64)

    def keys(self, lengths: Lengths) -> Keys:
        """The key of each row."""
        widths = widths_of(lengths).astype(np.int64)
        differences = lengths.source.astype(np.int64) - lengths.target
        differences[widths % 2 == 1] *= -1
        keys: Keys = (widths * self._differences + (differences + self._most)).astype(self.dtype)
        return keys

    def widths(self, keys: Keys) -> npt.NDArray[np.int64]:
        """The widths of rows with these keys."""
        return (keys // self.dtype.type(self._differences)).astype(np.int64)

    def sorted(self, keys: Keys) -> Rows:
        """The order of rows with these keys; those of one key as they stand.

        The position is packed below the key where both have room: plain sorting is then a stable argsort, several
        times as fast as one.
        """
        bits = len(keys).bit_length()
        if self._end << bits > 1 << 64:
            return np.argsort(keys, kind="stable")
        packed = keys.astype(np.uint64) << np.uint64(bits)
        packed |= np.arange(len(keys), dtype=np.uint64)
        packed.sort()
        order: Rows = (packed & np.uint64((1 << bits) - 1)).astype(np.int64)
        return order


def by_length(lengths: Lengths) -> Rows:
    """The order of rows of these lengths; see `LengthOrder`."""
    order = LengthOrder(int(widths_of(lengths).max(initial=0)))
    return order.sorted(order.keys(lengths))


def cut(widths: npt.NDArray[np.integer], limit: int) -> Rows:
    """Where bins end: greedily, `rows * last width <= limit`, at least one row each; `widths` ascend.

    The loop is over distinct widths: within one width all bins but the first have the same number of rows.
    """
    if not len(widths):
        return np.zeros(0, np.int64)
    firsts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(widths[1:] != widths[:-1]) + 1])
    edges: list[npt.NDArray[np.int64]] = []
    opened = 0
    bounds = zip(widths[firsts].tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(widths)], strict=True)
    for width, first, last in bounds:
        capacity = max(1, limit // width)
        if first - opened >= capacity:
            edges.append(np.array([first], np.int64))
            opened = first
        inside = np.arange(opened + capacity, last, capacity, dtype=np.int64)
        if inside.size:
            edges.append(inside)
            opened = int(inside[-1])
    return np.concatenate([*edges, np.array([len(widths)], np.int64)])


def micro_batches(rows: Rows, lengths: Lengths, max_tokens: int) -> list[Rows]:
    """Cut rows that are ordered by length into batches of at most `max_tokens` padded tokens, or one row.

    `lengths` are those of these rows.
    """
    edges = [0, *cut(widths_of(lengths), max_tokens).tolist()]
    return [rows[begin:end] for begin, end in itertools.pairwise(edges)]


def are_even(pieces: Sequence[Rows], lengths: Lengths, world: int) -> bool:
    """Whether each of several processes can take every world-th of these pieces, with about the same work for all.

    `lengths` are those of the rows of all pieces, in order.
    """
    if len(pieces) % world:
        return False
    counts = np.array([len(piece) for piece in pieces])
    costs = counts * widths_of(lengths)[np.cumsum(counts) - 1]
    shares = costs.reshape(-1, world).sum(0)
    return bool(shares.max() <= _MOST_UNEVEN * shares.mean())
