"""The shards of a split in; its columns, with a vectorised gather of any rows, out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.data.bins import RowLengths, SomeLengths
from seq2seq_core.data.cache_folder import cache_folder
from seq2seq_core.data.column_cache import Flat, open_shards
from seq2seq_core.data.column_layout import Rows, Runs
from seq2seq_core.dataset.alignments import AlignedWords
from seq2seq_core.dataset.reader import Dataset, Lengths
from seq2seq_core.dataset.schema import Split
from seq2seq_core.modalities.base import Modality, Ragged


class AnyColumn(Protocol):
    """One side of the rows that there are."""

    def __len__(self) -> int: ...

    def lengths(self, rows: Rows) -> npt.NDArray[np.int32]:
        """Positions of some rows.

        Raises:
            IndexError: A number is not that of a row.
        """

    def lengths_between(self, begin: int, end: int) -> npt.NDArray[np.int32]:
        """Positions of the rows from one number on up to another."""

    def gather(self, rows: Rows) -> Ragged:
        """Some rows (numbers from 0 on), in the order asked for.

        Raises:
            IndexError: A number is not that of a row.
        """


class Column:
    """One side of all rows of a split, in the order of its shards."""

    def __init__(self, flat: Flat, runs: Runs) -> None:
        self._flat, self._runs = flat, runs

    def __len__(self) -> int:
        return self._runs.rows

    def lengths(self, rows: Rows) -> npt.NDArray[np.int32]:
        places = self._places(rows)
        lengths: npt.NDArray[np.int64] = self._flat.offsets[places + 1] - self._flat.offsets[places]
        return lengths.astype(np.int32)

    def lengths_between(self, begin: int, end: int) -> npt.NDArray[np.int32]:
        offsets = [self._flat.offsets[place.start : place.stop + 1] for place in self._runs.slices(begin, end)]
        return np.concatenate([np.zeros(0, np.int32), *map(_steps, offsets)])

    def gather(self, rows: Rows) -> Ragged:
        places = self._places(rows)
        begins = self._flat.offsets[places]
        lengths = self._flat.offsets[places + 1] - begins
        return Ragged(self._flat.values[_ramps(begins, lengths)], lengths)

    def _places(self, rows: Rows) -> Rows:
        _check(rows, len(self))
        return self._runs.places(rows)


class JoinedColumn:
    """One side of the rows of several datasets, one behind the other.

    Args:
        parts: The column of each, and how many of its rows, from the first on, are there.
    """

    def __init__(self, parts: Sequence[tuple[AnyColumn, int]]) -> None:
        self._columns = [column for column, _ in parts]
        self._edges = [0, *itertools.accumulate(rows for _, rows in parts)]

    def __len__(self) -> int:
        return self._edges[-1]

    def lengths(self, rows: Rows) -> npt.NDArray[np.int32]:
        found = np.empty(len(rows), np.int32)
        for column, first, chosen in self._shared(rows):
            found[chosen] = column.lengths(rows[chosen] - first)
        return found

    def lengths_between(self, begin: int, end: int) -> npt.NDArray[np.int32]:
        pieces = [
            column.lengths_between(max(begin, first) - first, min(end, last) - first)
            for column, (first, last) in zip(self._columns, itertools.pairwise(self._edges), strict=True)
            if max(begin, first) < min(end, last)
        ]
        return np.concatenate([np.zeros(0, np.int32), *pieces])

    def gather(self, rows: Rows) -> Ragged:
        shares = list(self._shared(rows))
        pieces = [column.gather(rows[chosen] - first) for column, first, chosen in shares]
        if len(pieces) == 1:
            return pieces[0]
        order = np.argsort(np.concatenate([chosen for _, _, chosen in shares]))  # where each row stands in the pieces
        flat, lengths = (np.concatenate([piece[i] for piece in pieces]) for i in range(2))
        begins = (np.cumsum(lengths) - lengths)[order]
        return Ragged(flat[_ramps(begins, lengths[order])], lengths[order])

    def _shared(self, rows: Rows) -> Iterator[tuple[AnyColumn, int, Rows]]:
        """The columns that have some of these rows, the number of the first row of each, and which are its."""
        _check(rows, len(self))
        owners = np.searchsorted(self._edges, rows, side="right") - 1
        found = np.unique(owners).tolist() or [0]
        for owner in found:
            yield self._columns[owner], self._edges[owner], np.flatnonzero(owners == owner)


@dataclass(frozen=True)
class ColumnLengths:
    """The lengths of all rows of a split, looked up where they are asked for: none are kept in memory."""

    source: AnyColumn
    target: AnyColumn

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
        alignment: The pairs of aligned words (pairs x 2), with as many rows; None where the dataset keeps none.
    """

    source: AnyColumn
    target: AnyColumn
    digest: str
    modality: Modality
    alignment: AnyColumn | None = None

    @classmethod
    def open(cls, dataset: Dataset, split: Split, cache: Path | None = None) -> Columns:
        """Map the columns of a split, decoding the shards that the cache (None: `cache_folder()`) does not hold.

        Raises:
            DatasetError: A shard is missing or not what the manifest says.
            StorageError: The cache cannot be written.
        """
        shards = dataset.split(split).shards
        more = [AlignedWords()] if split == "train" and dataset.manifest.has_alignments else []
        flat, runs = open_shards(dataset, shards, cache or cache_folder(), more)
        source, target, *others = (Column(column, runs) for column in flat)
        modality = dataset.manifest.sides["source"].modality
        return cls(source, target, _digest(dataset, split), modality, *others)

    @classmethod
    def joined(cls, parts: Sequence[tuple[Columns, int]]) -> Columns:
        """Those of several datasets of the same sides, one behind the other: of each the first so many rows."""
        if len(parts) == 1:
            return parts[0][0]
        source, target = (
            JoinedColumn([(getattr(c, side), rows) for c, rows in parts]) for side in ("source", "target")
        )
        digest = storage.digest_bytes("\n".join(f"{columns.digest} {rows}" for columns, rows in parts).encode())
        aligned = [(columns.alignment, rows) for columns, rows in parts if columns.alignment is not None]
        alignment = JoinedColumn(aligned) if len(aligned) == len(parts) else None
        return cls(source, target, digest, parts[0][0].modality, alignment)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lengths(self) -> ColumnLengths:
        """Positions of every row; the same as `Dataset.lengths`, without reading Parquet."""
        return ColumnLengths(self.source, self.target)

    def lengths_of(self, rows: int) -> RowLengths:
        """Those of the first so many rows."""
        return self.lengths if rows == len(self) else SomeLengths(self.lengths, 0, rows)


def _digest(dataset: Dataset, split: Split) -> str:
    """Of a dataset that has grown it stays what it is when generations are folded: rows stand where they stood."""
    manifest = dataset.manifest
    shards = [shard.digest for shard in dataset.split(split).shards]
    named = [manifest.digest, split] if manifest.newest > 0 else shards
    return storage.digest_bytes("\n".join(named).encode())


def _check(rows: Rows, count: int) -> None:
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise IndexError(f"rows {rows.min()} to {rows.max()} of {count}")


def _steps(offsets: Rows) -> npt.NDArray[np.int32]:
    return np.diff(offsets).astype(np.int32)


def _ramps(begins: Rows, lengths: Rows) -> Rows:
    """`begin, begin + 1, … begin + length - 1` for every row, one after the other."""
    ends = np.cumsum(lengths)
    ramps: Rows = np.repeat(begins - ends + lengths, lengths)
    ramps += np.arange(len(ramps))
    return ramps
