"""Arrow tables of encoded or rejected rows in; Parquet files of the dataset folder and their manifest entries out.

Equal rows give equal bytes (of one pyarrow version), however the tables were chunked, sliced or dictionary-encoded.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from seq2seq_core import storage
from seq2seq_core.dataset.manifest import RejectedEntry, ShardEntry
from seq2seq_core.dataset.schema import ALIGNMENT
from seq2seq_core.dataset.sides import DatasetSide, Sides
from seq2seq_core.errors import DatasetError

REJECTED_ROW_GROUP = 1 << 16
HISTOGRAM_BINS = 1025

_COMPRESSION_LEVEL = 1  # level 3 saves 5 percent of the bytes and takes 1.6 times the time
_DICTIONARY_COLUMNS = frozenset({"origin", "rule", "threshold"})


def write_shard(
    root: str,
    path: str,
    table: pa.Table,
    sides: Sides,
    *,
    row_group_tokens: int | None = None,
    generation: int = 0,
) -> ShardEntry:
    """Publish a shard of a dataset; an empty table gives a valid file without rows.

    Args:
        root: URL of the dataset folder.
        path: Where the file stands below it (`train/part-00000-of-00016.parquet`).
        table: Rows in their final order, columns as in `schema.shard_schema`.
        sides: What both sides are.
        row_group_tokens: A row group holds at most this many source and target positions together, or one row;
            default: as the sides have it.
        generation: The run of a growing dataset that adds this shard.

    Raises:
        DatasetError: A length column does not say how long its tokens are.
        StorageError: The file cannot be written.
    """
    url = storage.join(root, path)
    table = _canonical(table)
    source, target = (_checked_lengths(table, side, url) for side in sides.values())
    most = row_group_tokens or min(side.modality.row_group_positions for side in sides.values())
    cuts = _row_group_cuts(source + target, most)
    size, digest = _publish(url, table, cuts)
    return ShardEntry(
        path=path,
        rows=table.num_rows,
        source_tokens=int(source.sum()),
        target_tokens=int(target.sum()),
        bytes=size,
        digest=digest,
        generation=generation,
        aligned_words=_aligned_words(table),
    )


def write_rejected(root: str, path: str, table: pa.Table, *, generation: int = 0) -> RejectedEntry:
    """Publish rejected rows (columns of `schema.REJECTED_SCHEMA`); arguments and errors as in `write_shard`."""
    table = _canonical(table)
    cuts = [*range(0, table.num_rows, REJECTED_ROW_GROUP), table.num_rows]
    size, digest = _publish(storage.join(root, path), table, cuts)
    return RejectedEntry(path=path, rows=table.num_rows, bytes=size, digest=digest, generation=generation)


def length_histogram(lengths: npt.NDArray[np.integer], bins: int = HISTOGRAM_BINS) -> tuple[int, ...]:
    """How many rows have 0, 1, 2 … tokens.

    Element i counts the rows of i tokens; element `bins - 1`, where it is reached, those of `bins - 1` or more.
    Trailing zeros are left out, so no rows give `()`.
    """
    return tuple(np.bincount(np.minimum(lengths, bins - 1)).tolist())


def merge_histograms(histograms: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The histogram of all rows together, from histograms of parts made with the same number of bins.

    Of rows that are taken out again the numbers are negative.
    """
    parts = list(histograms)
    total = np.zeros(max(map(len, parts), default=0), np.int64)
    for part in parts:
        total[: len(part)] += np.asarray(part, np.int64)
    return tuple(np.trim_zeros(total, "b").tolist())


class _Digesting:
    """A file to which bytes are only appended: it counts and hashes them on their way (xxh3-128)."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._state = xxhash.xxh3_128()
        self.bytes = 0
        self.closed = False

    @property
    def digest(self) -> str:
        return self._state.hexdigest()

    def write(self, data: bytes) -> int:
        self._state.update(data)
        self._out.write(data)
        self.bytes += len(data)
        return len(data)

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        self.closed = True


def _canonical(table: pa.Table) -> pa.Table:
    """The same rows in the one layout that is written: one chunk a column, dictionaries in order of appearance."""
    table = table.replace_schema_metadata(None)
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field, _in_order_of_appearance(table.column(index), field.type))
    return table.combine_chunks()


def _in_order_of_appearance(column: pa.ChunkedArray, kind: pa.DictionaryType) -> pa.Array:
    """The same values over a dictionary of those that occur, found without writing out the text of every row."""
    names = column.unify_dictionaries().combine_chunks()
    values = names.dictionary.dictionary_encode()
    indices = values.indices.take(names.indices).dictionary_encode()
    return pa.DictionaryArray.from_arrays(indices.indices, values.dictionary.take(indices.dictionary)).cast(kind)


def _aligned_words(table: pa.Table) -> int:
    """Pairs of words, of all rows."""
    if ALIGNMENT.name not in table.column_names:
        return 0
    return int(pc.sum(pc.list_value_length(table.column(ALIGNMENT.name))).as_py() or 0) // 2


def _checked_lengths(table: pa.Table, side: DatasetSide, url: str) -> npt.NDArray[np.int64]:
    lengths: npt.NDArray[np.int64] = table.column(side.length_name).to_numpy().astype(np.int64)
    held = side.modality.lengths(table.column(side.name))
    wrong = np.flatnonzero(lengths != held)
    if wrong.size:
        row = int(wrong[0])
        where = f"{storage.redact(url)} row {row}"
        raise DatasetError(f"wrong {side.length_name}", where=where, found=int(lengths[row]), expected=int(held[row]))
    return lengths


def _row_group_cuts(tokens: npt.NDArray[np.int64], limit: int) -> list[int]:
    """Ascending row numbers, 0 and the row count included, between which row groups of at most `limit` tokens lie."""
    ends = np.cumsum(tokens)
    cuts = [0]
    while cuts[-1] < len(tokens):
        begin = cuts[-1]
        before = int(ends[begin - 1]) if begin else 0
        cuts.append(max(begin + 1, int(np.searchsorted(ends, before + limit, side="right"))))
    return cuts


def _publish(url: str, table: pa.Table, cuts: Sequence[int]) -> tuple[int, str]:
    """Write the row groups; the size and digest of the file."""
    with storage.publish(url) as out:
        file = _Digesting(out)
        with pq.ParquetWriter(file, table.schema, **_options(table.schema)) as writer:
            for begin, end in itertools.pairwise(cuts):
                writer.write_table(table.slice(begin, end - begin), row_group_size=max(1, end - begin))
    return file.bytes, file.digest


def _options(schema: pa.Schema) -> dict[str, object]:
    """Byte stream split for token ids and lengths, deltas for line numbers, dictionaries for names, zstd for all."""
    return {
        "version": "2.6",
        "compression": "zstd",
        "compression_level": _COMPRESSION_LEVEL,
        "use_dictionary": [field.name for field in schema if _has_few_values(field)],
        "column_encoding": dict(_encodings(schema)),
        "write_statistics": [field.name for field in schema if pa.types.is_integer(field.type)],
    }


def _has_few_values(field: pa.Field) -> bool:
    return field.name in _DICTIONARY_COLUMNS or pa.types.is_dictionary(field.type)


def _encodings(schema: pa.Schema) -> Iterator[tuple[str, str]]:
    for field in schema:
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            yield f"{field.name}.list.element", "BYTE_STREAM_SPLIT"
        elif field.name in ("source_length", "target_length"):
            yield field.name, "BYTE_STREAM_SPLIT"
        elif field.name == "line":
            yield field.name, "DELTA_BINARY_PACKED"
