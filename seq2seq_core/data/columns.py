"""The shards of a split in; its columns, with a vectorised gather of any rows, out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.data.bins import RowLengths, SomeLengths
from seq2seq_core.data.cache_folder import cache_folder
from seq2seq_core.data.column_cache import Flat, open_shards
from seq2seq_core.data.column_layout import Rows, Runs
from seq2seq_core.dataset.reader import Dataset, Lengths
from seq2seq_core.dataset.schema import Split
from seq2seq_core.modalities.base import Modality, Ragged


class Column:
    """One side of all rows of a split, in the order of its shards."""

    def __init__(self, flat: Flat, runs: Runs) -> None:
        self._flat, self._runs = flat, runs

    def __len__(self) -> int:
        return self._runs.rows

    def lengths(self, rows: Rows) -> npt.NDArray[np.int32]:
        """Positions of some rows.

        Raises:
            IndexError: A number is not that of a row.
        """
        places = self._places(rows)
        lengths: npt.NDArray[np.int64] = self._flat.offsets[places + 1] - self._flat.offsets[places]
        return lengths.astype(np.int32)

    def lengths_between(self, begin: int, end: int) -> npt.NDArray[np.int32]:
        """Positions of the rows from one number on up to another."""
        offsets = [self._flat.offsets[place.start : place.stop + 1] for place in self._runs.slices(begin, end)]
        return np.concatenate([np.zeros(0, np.int32), *map(_steps, offsets)])

    def gather(self, rows: Rows) -> Ragged:
        """Some rows (numbers from 0 on), in the order asked for.

        Raises:
            IndexError: A number is not that of a row.
        """
        places = self._places(rows)
        begins = self._flat.offsets[places]
        lengths = self._flat.offsets[places + 1] - begins
        return Ragged(self._flat.values[_ramps(begins, lengths)], lengths)

    def _places(self, rows: Rows) -> Rows:
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        return self._runs.places(rows)


@dataclass(frozen=True)
class ColumnLengths:
    """The lengths of all rows of a split, looked up where they are asked for: none are kept in memory."""

    source: Column
    target: Column

    @property
    def rows(self) -> int:
        return len(self.source)

    def of(self, rows: Rows) -> Lengths:
        """Those of some rows."""
        return Lengths(self.source.lengths(rows), self.target.lengths(rows))

    def between(self, begin: int, end: int) -> Lengths:
        """Those of the rows from one number on up to another."""
        return Lengths(self.source.lengths_between(begin, end), self.target.lengths_between(begin, end))


@dataclass(frozen=True)
class Columns:
    """Both sides of a split.

    Attributes:
        source: The source column.
        target: The target column, with as many rows.
        digest: Names the rows and their order.
        modality: What the source is; the target is text.
    """

    source: Column
    target: Column
    digest: str
    modality: Modality

    @classmethod
    def open(cls, dataset: Dataset, split: Split, cache: Path | None = None) -> Columns:
        """Map the columns of a split, decoding the shards that the cache (None: `cache_folder()`) does not hold.

        Raises:
            DatasetError: A shard is missing or not what the manifest says.
            StorageError: The cache cannot be written.
        """
        shards = dataset.split(split).shards
        sides, runs = open_shards(dataset, shards, cache or cache_folder())
        source, target = (Column(side, runs) for side in sides)
        digest = storage.digest_bytes("\n".join(shard.digest for shard in shards).encode())
        return cls(source, target, digest, dataset.manifest.sides["source"].modality)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lengths(self) -> ColumnLengths:
        """Positions of every row; the same as `Dataset.lengths`, without reading Parquet."""
        return ColumnLengths(self.source, self.target)

    def lengths_of(self, rows: int) -> RowLengths:
        """Those of the first so many rows."""
        return self.lengths if rows == len(self) else SomeLengths(self.lengths, 0, rows)


def _steps(offsets: Rows) -> npt.NDArray[np.int32]:
    return np.diff(offsets).astype(np.int32)


def _ramps(begins: Rows, lengths: Rows) -> Rows:
    """`begin, begin + 1, … begin + length - 1` for every row, one after the other."""
    ends = np.cumsum(lengths)
    ramps: Rows = np.repeat(begins - ends + lengths, lengths)
    ramps += np.arange(len(ramps))
    return ramps
