"""A dataset folder in; its manifest, tokenizers, lengths, texts and columns out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import (
    GenerationEntry,
    Manifest,
    RejectedEntry,
    ShardEntry,
    SourceEntry,
    SplitEntry,
    TokenizerEntry,
    load_manifest,
)
from seq2seq_core.dataset.schema import SCORE, Split
from seq2seq_core.errors import DatasetError, StorageError
from seq2seq_core.modalities.base import Side
from seq2seq_core.tokenizer.model import Tokenizer

_BLOCK_BYTES = 1 << 22
_ADVICE = "Restore the file, or prepare the dataset again; `seq2seq inspect --verify` checks all files."


FileEntry = ShardEntry | RejectedEntry | TokenizerEntry


class Lengths(NamedTuple):
    """Tokens of every row of a split (int32, one element a row, without BOS and EOS)."""

    source: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]


class Weights(NamedTuple):
    """How often an epoch passes over each row of a split: row i `values[codes[i]]` times (float64).

    There are as many values as corpora at most, so `codes` are small numbers (unsigned, one element a row).
    """

    values: npt.NDArray[np.float64]
    codes: npt.NDArray[np.unsignedinteger]

    def of(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Those of some rows."""
        weights: npt.NDArray[np.float64] = self.values[self.codes[rows]]
        return weights


def joined_weights(parts: Sequence[tuple[Weights | None, int]]) -> Weights | None:
    """The weights of rows that follow one another: of each part, and its rows; None where every row counts once."""
    given = [weights for weights, _ in parts if weights is not None]
    if not given:
        return None
    if len(parts) == 1:
        return given[0]
    values = np.unique(np.concatenate([np.ones(1), *(weights.values for weights in given)]))
    kind = np.min_scalar_type(len(values) - 1)
    pieces = [
        np.full(rows, np.searchsorted(values, 1.0), kind)
        if weights is None
        else np.searchsorted(values, weights.values).astype(kind)[weights.codes]
        for weights, rows in parts
    ]
    return Weights(values, np.concatenate(pieces))


@dataclass(frozen=True)
class Dataset:
    """A published dataset folder. Only files its manifest names are ever read.

    Attributes:
        root: URL of the folder.
        manifest: What it holds.
    """

    root: str
    manifest: Manifest

    @classmethod
    def open(cls, root: str) -> Dataset:
        """Read the manifest; a DatasetError says when no finished dataset stands there."""
        return cls(root, load_manifest(root))

    def tokenizer(self, side: Side) -> Tokenizer:
        """The tokenizer of a side of text.

        Raises:
            DatasetError: It is not the one the dataset was encoded with, or the side has none.
            TokenizerError: It cannot be read.
        """
        if side not in self._tokenizers:
            raise DatasetError(f"the {side} is no text and has no tokenizer", where=storage.redact(self.root))
        return self._tokenizers[side]

    @functools.cached_property
    def _tokenizers(self) -> dict[Side, Tokenizer]:
        entries = self.manifest.tokenizers
        models = {entry.path: self._load_tokenizer(entry) for entry in entries.values()}
        return {side: models[entry.path] for side, entry in entries.items()}

    @property
    def source_tokenizer(self) -> Tokenizer:
        return self.tokenizer("source")

    @property
    def target_tokenizer(self) -> Tokenizer:
        return self.tokenizer("target")

    def split(self, name: Split) -> SplitEntry:
        """The manifest's entry of a split.

        Raises:
            DatasetError: The dataset has no such split.
        """
        if name not in self.manifest.splits:
            raise DatasetError(
                f"no split {name!r}", where=storage.redact(self.root), expected=f"one of {sorted(self.manifest.splits)}"
            )
        return self.manifest.splits[name]

    def lengths(self, split: Split) -> Lengths:
        """Lengths of all rows of a split in order; no other column is read."""
        columns = ["source_length", "target_length"]
        none = np.zeros(0, np.int32)
        pieces = [[table.column(c).to_numpy() for c in columns] for table in self._tables(split, columns)]
        source, target = (np.concatenate([none, *side]) for side in zip((none, none), *pieces, strict=True))
        return Lengths(source, target)

    def weights(self, split: Split, begin: int = 0, end: int | None = None) -> Weights | None:
        """How often an epoch passes over each row of a split, as its corpus says; None when all do so once.

        Args:
            split: Which one.
            begin: The first row that is asked for.
            end: That after the last one; None: all.
        """
        if all(corpus.weight == 1 for corpus in self.manifest.corpora):
            return None
        by_origin = {origin: corpus.weight for corpus in self.manifest.corpora for origin in corpus.origins}
        by_corpus = {corpus.name: corpus.weight for corpus in self.manifest.corpora}
        by_origin |= {entry.origin: by_corpus.get(entry.corpus, 1.0) for entry in self.folded_inputs()}
        values = sorted({1.0, *by_origin.values()})
        codes = {origin: values.index(weight) for origin, weight in by_origin.items()}
        none, usual = np.zeros(0, np.min_scalar_type(len(values) - 1)), values.index(1.0)
        first, shards = self._shards_between(split, begin, end)
        tables = (table for shard in shards for table in self.row_groups(shard, ["origin"]))
        pieces = [_spread(c, codes, usual, none.dtype) for table in tables for c in table.column("origin").chunks]
        found = np.concatenate([none, *pieces])[begin - first : None if end is None else end - first]
        return None if (found == usual).all() else Weights(np.array(values, np.float64), found)

    def scores(self, begin: int = 0, end: int | None = None) -> npt.NDArray[np.float64]:
        """The score of each training row from one number on up to another; minus infinity where its corpus has none.

        Raises:
            DatasetError: The preparation kept no scores.
        """
        if not self.manifest.has_scores:
            raise DatasetError(
                "the dataset keeps no scores of its rows",
                where=storage.redact(self.root),
                advice="Prepare it with a score_field and keep_scores.",
            )
        first, shards = self._shards_between("train", begin, end)
        tables = (table for shard in shards for table in self.row_groups(shard, [SCORE]))
        found = np.concatenate([np.zeros(0), *(table.column(SCORE).to_numpy() for table in tables)])
        return found[begin - first : None if end is None else end - first]

    def _shards_between(self, split: Split, begin: int, end: int | None) -> tuple[int, list[ShardEntry]]:
        """The shards that have some rows of a split, and the number of the first row of them."""
        first, found = begin, list[ShardEntry]()
        row = 0
        for shard in self.split(split).shards:
            if row + shard.rows > begin and (end is None or row < end):
                first = first if found else row
                found.append(shard)
            row += shard.rows
        return first, found

    def folded_inputs(self) -> Iterator[SourceEntry]:
        """What generations have read that are folded into one; of others the manifest says it.

        Raises:
            DatasetError: A file is missing or damaged.
        """
        for entry in self.manifest.generations:
            yield from self.inputs_of(entry)

    def inputs_of(self, entry: GenerationEntry) -> Iterator[SourceEntry]:
        """The same of one of its entries."""
        if entry.folded is None:
            return
        url = storage.join(self.root, entry.folded.path)
        data = b"".join(_blocks(_opened(url), storage.redact(url)))
        found = storage.digest_bytes(data)
        if found != entry.folded.digest:
            where = storage.redact(url)
            raise DatasetError("a damaged list of inputs", where=where, found=found, expected=entry.folded.digest)
        yield from map(SourceEntry.model_validate_json, data.splitlines())

    def standing_inputs(self) -> Iterator[tuple[GenerationEntry, SourceEntry]]:
        """What all generations have read whose rows were not taken out again, each with the entry it came with."""
        replaced = {origin for entry in self.manifest.generations for origin in entry.replaced}
        for entry in self.manifest.generations:
            for source in (*entry.inputs, *self.inputs_of(entry)):
                if source.origin not in replaced:
                    yield entry, source

    def texts(self, split: Split, side: Side) -> list[str]:
        """The normalised texts of one side of a split in order.

        Raises:
            DatasetError: The split keeps no texts, as training splits do, or the side has none.
        """
        column = self.manifest.sides[side].text_name
        return [text for table in self._tables(split, [column]) for text in table.column(column).to_pylist()]

    def _tables(self, split: Split, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Columns of all rows of a split in order, row group by row group."""
        for entry in self.split(split).shards:
            yield from self.row_groups(entry, columns)

    def read_shard(self, entry: ShardEntry | RejectedEntry, columns: Sequence[str] | None = None) -> pa.Table:
        """Columns (all if None) of one Parquet file.

        Raises:
            DatasetError: The file is missing, damaged or lacks a column or row.
            StorageError: It cannot be opened or read.
        """
        return pa.concat_tables(self.row_groups(entry, columns))

    def row_groups(self, entry: ShardEntry | RejectedEntry, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The row groups of one Parquet file in order, at least one table; errors as in `read_shard`."""
        with self.open_file(entry) as file:
            yield from row_groups(file, storage.redact(storage.join(self.root, entry.path)), entry.rows, columns)

    def blocks(self, entry: FileEntry) -> Iterator[bytes]:
        """All bytes of a file of the dataset, some at a time; errors as in `read_shard`."""
        yield from _blocks(self.open_file(entry), storage.redact(storage.join(self.root, entry.path)))

    def open_file(self, entry: FileEntry) -> IO[bytes]:
        """The bytes of a file of the dataset; the caller closes it.

        Raises:
            DatasetError: The file is missing.
            StorageError: It cannot be opened, or the manifest names a path outside the folder.
        """
        return _opened(storage.join(self.root, entry.path))

    def _load_tokenizer(self, entry: TokenizerEntry) -> Tokenizer:
        url = storage.join(self.root, entry.path)
        tokenizer = Tokenizer.load(url)
        if tokenizer.digest != entry.digest:
            raise DatasetError(
                "the tokenizer is not the one this dataset was encoded with",
                where=storage.redact(url),
                found=tokenizer.digest,
                expected=entry.digest,
            )
        return tokenizer


def row_groups(
    file: IO[bytes], where: str, rows: int | None, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The row groups of an open Parquet file in order, at least one table; `where` names it in errors.

    Without `rows` any number of rows is right.

    Raises:
        DatasetError: The file is damaged, lacks a column, or does not hold so many rows.
        StorageError: It cannot be read.
    """
    with _reading(where):
        parquet = pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)
        missing = set(columns or ()) - set(parquet.schema_arrow.names)
        if missing:
            raise DatasetError("missing columns", where=where, found=parquet.schema_arrow.names, expected=columns)
        if rows is not None and parquet.metadata.num_rows != rows:
            raise DatasetError("wrong number of rows", where=where, found=parquet.metadata.num_rows, expected=rows)
        for index in range(parquet.num_row_groups):
            yield _validated(parquet.read_row_group(index, columns=columns))
        if not parquet.num_row_groups:
            yield parquet.read(columns=columns)


def _validated(table: pa.Table) -> pa.Table:
    """The table, when texts are UTF-8 and indices have values, which reading alone does not ask."""
    table.validate(full=True)
    return table


def _spread(
    origins: pa.Array, by_origin: Mapping[str, int], usual: int, dtype: np.dtype[np.unsignedinteger]
) -> npt.NDArray[np.unsignedinteger]:
    """The code of each row: looked up once for each origin, never spread into texts."""
    encoded = origins if pa.types.is_dictionary(origins.type) else origins.dictionary_encode()
    codes = np.array([by_origin.get(origin, usual) for origin in encoded.dictionary.to_pylist()], dtype)
    spread: npt.NDArray[np.unsignedinteger] = codes[encoded.indices.to_numpy()]
    return spread


def _blocks(file: IO[bytes], where: str) -> Iterator[bytes]:
    with file, _reading(where):
        while block := file.read(_BLOCK_BYTES):
            yield block


def _opened(url: str) -> IO[bytes]:
    try:
        return storage.open_input(url)
    except StorageError as error:
        if storage.exists(url):  # no rights, too many open files, a store that does not answer
            raise
        raise DatasetError(error.problem, where=error.where, found=error.found, advice=_ADVICE) from None


@contextlib.contextmanager
def _reading(where: str) -> Iterator[None]:
    """Tell damage, as Arrow finds it, from a disk or store that does not let us read."""
    with storage.named(where):
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and (type(error) is not OSError or error.errno is not None):
                raise
            found = " ".join(str(error).split())  # Arrow's messages have several lines
            raise DatasetError("a damaged Parquet file", where=where, found=found, advice=_ADVICE) from None
