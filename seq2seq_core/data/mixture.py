"""An epoch under way and rows that join it in; the rest of the epoch, with the new rows spread over it, out.

An epoch is a list of *stretches*: the first begins with it, and each later one where rows joined. There the bins that
were not read yet and those of the new rows are put into one random order. So every row stands in the epoch as often as
it should, wherever others joined, and whoever knows what joined where can make all of it again. Joining costs the
sorting of bins, and making those of the new rows: the rows of the epoch are not touched.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np

from seq2seq_core.data.column_layout import Rows
from seq2seq_core.data.drawing.chance import random_order
from seq2seq_core.data.epoch_order import EpochOrder


@dataclass(frozen=True)
class Mixture:
    """Bins of several orders in one random order.

    Attributes:
        orders: Rows in bins.
        first_rows: The number that row 0 of each has in the split.
        first_bins: The number that bin 0 of each has here.
        order: The bins.
    """

    orders: tuple[EpochOrder, ...]
    first_rows: tuple[int, ...]
    first_bins: tuple[int, ...]
    order: Rows

    @classmethod
    def of(cls, order: EpochOrder) -> Mixture:
        """A single order, as it is."""
        return cls((order,), (0,), (0,), order.order)

    def rows_of(self, bins: slice) -> Rows:
        """The rows of some bins."""
        pieces = [self._bin(number) for number in self.order[bins].tolist()]
        return np.concatenate([np.zeros(0, np.int64), *pieces])

    def joined(self, read: int, other: EpochOrder, first_row: int, bits: np.random.Philox) -> Mixture:
        """The bins from number `read` of the order on, together with those of another one."""
        first_bin = self.first_bins[-1] + len(self.orders[-1].order)
        added = first_bin + np.arange(len(other.order), dtype=np.int64)
        bins = np.concatenate([self.order[read:], added])
        return Mixture(
            (*self.orders, other),
            (*self.first_rows, first_row),
            (*self.first_bins, first_bin),
            bins[random_order(bits, len(bins))],
        )

    def _bin(self, number: int) -> Rows:
        place = bisect.bisect_right(self.first_bins, number) - 1
        found, inside = self.orders[place], number - self.first_bins[place]
        rows: Rows = found.rows[found.cuts[inside] : found.cuts[inside + 1]].astype(np.int64)
        rows += self.first_rows[place]
        return rows


@dataclass(frozen=True)
class Stretch:
    """Bins of an epoch, as global batches from one position on up to another."""

    begin: int
    end: int
    mixture: Mixture

    @classmethod
    def of(cls, begin: int, mixture: Mixture, bins_per_batch: int) -> Stretch:
        """All bins, a few of them a batch."""
        return cls(begin, begin - (-len(mixture.order) // bins_per_batch), mixture)

    def batch(self, position: int) -> Rows:
        """The rows of the batch at a position."""
        return self.mixture.rows_of(slice(self._read(position), self._read(position + 1)))

    def joined(
        self, position: int, other: EpochOrder, first_row: int, bits: np.random.Philox, bins_per_batch: int
    ) -> Stretch:
        """What follows from a position on, where the bins of other rows join."""
        mixture = self.mixture.joined(self._read(position), other, first_row, bits)
        return Stretch.of(position, mixture, bins_per_batch)

    def _read(self, position: int) -> int:
        """The bins before a position: parts of a stretch differ by one bin at most."""
        count = len(self.mixture.order)
        return (position - self.begin) * count // (self.end - self.begin) if self.end > self.begin else count
