"""The shards of a split in; its token columns, with a vectorised gather of any rows, out."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq_core import storage
from seq2seq_core.data.column_cache import Piece, Tokens, cache_folder, open_shards
from seq2seq_core.dataset.reader import Dataset, Lengths
from seq2seq_core.dataset.schema import Split


class Ragged(NamedTuple):
    """Rows of different lengths: all tokens one row after the other, and the length (int64) of each row."""

    flat: Tokens
    lengths: npt.NDArray[np.int64]


class TokenColumn:
    """One side of all rows of a split, in the order of its shards; a piece holds those of one generation."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._starts = np.cumsum([0, *(len(piece.offsets) - 1 for piece in pieces)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """Tokens of every row."""
        lengths = np.empty(len(self), np.int32)
        for piece, (begin, end) in zip(self._pieces, itertools.pairwise(self._starts.tolist()), strict=True):
            np.subtract(piece.offsets[1:], piece.offsets[:-1], out=lengths[begin:end], casting="same_kind")
        return lengths

    def gather(self, rows: npt.NDArray[np.int64]) -> Ragged:
        """The tokens of rows (numbers from 0 on), in the order asked for.

        The loop is over the generations that are touched.

        Raises:
            IndexError: A number is not that of a row.
        """
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        piece_of = np.searchsorted(self._starts, rows, side="right") - 1
        present = np.unique(piece_of).tolist()
        if len(present) == 1:
            return _take(self._pieces[present[0]], rows - self._starts[present[0]])
        parts = [np.flatnonzero(piece_of == piece) for piece in present]
        taken = [_take(self._pieces[p], rows[part] - self._starts[p]) for p, part in zip(present, parts, strict=True)]
        return _interleaved(parts, taken)


@dataclass(frozen=True)
class TokenColumns:
    """Both sides of a split.

    Attributes:
        source: The source column.
        target: The target column, with as many rows.
        digest: Names the rows and their order.
    """

    source: TokenColumn
    target: TokenColumn
    digest: str

    @classmethod
    def open(cls, dataset: Dataset, split: Split, cache: Path | None = None) -> TokenColumns:
        """Map the columns of a split, decoding the shards that the cache (None: `cache_folder()`) does not hold.

        Raises:
            DatasetError: A shard is missing or not what the manifest says.
            StorageError: The cache cannot be written.
        """
        shards = dataset.split(split).shards
        folder = cache or cache_folder()
        generations = itertools.groupby(shards, operator.attrgetter("generation"))
        opened = [open_shards(dataset, tuple(group), folder) for _, group in generations]
        source, target = (TokenColumn([pieces[side] for pieces in opened]) for side in (0, 1))
        return cls(source, target, storage.digest_bytes("\n".join(shard.digest for shard in shards).encode()))

    def __len__(self) -> int:
        return len(self.source)

    @functools.cached_property
    def lengths(self) -> Lengths:
        """Tokens of every row; the same as `Dataset.lengths`, without reading Parquet."""
        return Lengths(self.source.lengths, self.target.lengths)


def _take(piece: Piece, rows: npt.NDArray[np.int64]) -> Ragged:
    begins = piece.offsets[rows]
    lengths = piece.offsets[rows + 1] - begins
    return Ragged(piece.tokens[_ramps(begins, lengths)], lengths)


def _ramps(begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`begin, begin + 1, … begin + length - 1` for every row, one after the other."""
    ends = np.cumsum(lengths)
    ramps: npt.NDArray[np.int64] = np.repeat(begins - ends + lengths, lengths)
    ramps += np.arange(len(ramps))
    return ramps


def _interleaved(parts: Sequence[npt.NDArray[np.int64]], taken: Sequence[Ragged]) -> Ragged:
    """Put rows back into their order: row i of `taken[k]` is row `parts[k][i]`."""
    lengths = np.empty(sum(map(len, parts)), np.int64)
    for part, ragged in zip(parts, taken, strict=True):
        lengths[part] = ragged.lengths
    begins = np.cumsum(lengths) - lengths
    flat = np.empty(int(lengths.sum()), np.result_type(*(ragged.flat for ragged in taken)) if taken else np.uint16)
    for part, ragged in zip(parts, taken, strict=True):
        flat[_ramps(begins[part], ragged.lengths)] = ragged.flat
    return Ragged(flat, lengths)
