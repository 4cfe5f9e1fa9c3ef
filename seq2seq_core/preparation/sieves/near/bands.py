"""A shard's texts in, a file of its band hashes out, from which those of any one bucket can be read alone.

A band file is an Arrow IPC file with one record batch a bucket: a range of hashes, in the order of hash and id. A row
stands there once for each band. They are read by the ranges of bytes that their writers noted, many shards together.
Later generations find the same entries in runs (`known.runs`). In memory, an entry's key is 24 bytes whose order is
that of rank, id and shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core import storage
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.known.runs import keys_of
from seq2seq_core.preparation.sieves.near.connected import Keys
from seq2seq_core.preparation.sieves.near.minhash import Bands, bands, compared, signatures
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import BandsReport, NearPlan
from seq2seq_core.preparation.terms.octets import Digests, from_column, halves, to_column
from seq2seq_core.records import text_of

KEY_BYTES, HASH_BYTES = 24, 8
_ID = slice(4, 4 + ID_BYTES)
_BATCH_ROWS = 16_384
BAND_ENTRIES = pa.schema(
    [pa.field("hash", pa.uint64(), nullable=False), pa.field("id", pa.binary(ID_BYTES), nullable=False)]
)


class Texts(NamedTuple):
    """Some rows of a shard, as columns of equal length without nulls: binary(16), string, string."""

    ids: pa.FixedSizeBinaryArray
    source: pa.StringArray
    target: pa.StringArray


class Entries(NamedTuple):
    """Entries of band files: hash (uint64) and key (uint8, entries x 24) of each."""

    hashes: npt.NDArray[np.uint64]
    keys: Keys


def texts_of(rows: pa.Table) -> Iterator[Texts]:
    """The texts of rows with the columns id, source and target; empty ones of a side without text."""
    for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
        yield Texts(batch.column("id"), *(text_of(batch.column(side)) for side in ("source", "target")))


def write_bands(plan: NearPlan, shard: int, texts: Iterable[Texts]) -> BandsReport:
    """Write the band file of a shard, unless its marker says that this has been done (no text is read then)."""
    marker = layout.bands_marker(plan, shard)
    report = read_marker(BandsReport, marker)
    if report is None:
        rows, positions = _write(layout.bands(plan, shard), plan, texts)
        report = BandsReport(index=shard, rows=rows, positions=positions)
        publish_marker(marker, report)
    return report


def entries_of(batch: pa.RecordBatch, rank: int, shard: int) -> Entries:
    """The entries of a batch of `BAND_ENTRIES`."""
    return Entries(batch.column("hash").to_numpy().copy(), make_keys(from_column(batch.column("id")), rank, shard))


def make_keys(ids: Digests, rank: int, shard: int) -> Keys:
    """Keys in the order of rank, id and shard: uint8, ids x 24."""
    keys = np.empty((len(ids), KEY_BYTES), np.uint8)
    keys[:, : _ID.start] = np.frombuffer(rank.to_bytes(4, "big"), np.uint8)
    keys[:, _ID] = ids
    keys[:, _ID.stop :] = np.frombuffer(shard.to_bytes(4, "big"), np.uint8)
    return keys


def to_run(entries: Entries) -> npt.NDArray[np.uint8]:
    """Entries as later generations find them (`terms.known.WIDTHS`)."""
    hashes = entries.hashes.astype(">u8").view(np.uint8).reshape(-1, HASH_BYTES)
    return np.hstack([hashes, entries.keys[:, _ID], entries.keys[:, : _ID.start]])


def from_run(found: npt.NDArray[np.uint8]) -> Entries:
    """The inverse of `to_run`; of which shard a row was is forgotten."""
    rank, ids = found[:, HASH_BYTES + ID_BYTES :], found[:, HASH_BYTES : HASH_BYTES + ID_BYTES]
    return Entries(keys_of(found), np.hstack([rank, ids, np.zeros_like(rank)]))


def split_keys(keys: Keys) -> tuple[npt.NDArray[np.int64], Digests, npt.NDArray[np.int64]]:
    """Rank, id and shard of each key."""
    numbers = [
        np.ascontiguousarray(keys[:, part]).view(">u4").astype(np.int64)[:, 0]
        for part in (slice(0, _ID.start), slice(_ID.stop, KEY_BYTES))
    ]
    return numbers[0], keys[:, _ID], numbers[1]


def _write(path: str, plan: NearPlan, texts: Iterable[Texts]) -> tuple[int, tuple[int, ...]]:
    """Write the file; how many rows it has seen, where each batch begins, and where the last one ends."""
    ids: list[Digests] = [np.empty((0, ID_BYTES), np.uint8)]
    hashes: list[Bands] = [np.empty((0, plan.config.bands), np.uint64)]
    for rows in texts:
        ids.append(from_column(rows.ids))
        hashes.append(bands(signatures(compared(rows.source, rows.target, plan.config), plan.config), plan.config))
    every_id, every_hash = np.concatenate(ids), np.concatenate(hashes).reshape(-1)
    high, low = (np.repeat(half, plan.config.bands) for half in halves(every_id))
    order = np.lexsort((low, high, every_hash))
    every_hash = every_hash[order]
    ends = np.searchsorted(_bucket(every_hash, plan.buckets), np.arange(plan.buckets), side="right")
    positions: list[int] = []
    with storage.publish(path) as out, pa.ipc.new_file(out, BAND_ENTRIES) as sink:
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            part = to_column(every_id[order[begin:end] // plan.config.bands])
            batch = pa.record_batch([pa.array(every_hash[begin:end]), part], schema=BAND_ENTRIES)
            sink.write_batch(batch)
            # The schema is written with the first batch, so where that begins is told by its size.
            positions = positions or [out.tell() - pa.ipc.get_record_batch_size(batch)]
            positions.append(out.tell())
    return len(every_id), tuple(positions)


def _bucket(hashes: npt.NDArray[np.uint64], buckets: int) -> npt.NDArray[np.uint64]:
    """Which of equal ranges each hash falls into: later ones hold larger hashes."""
    return (hashes >> np.uint64(32)) * np.uint64(buckets) >> np.uint64(32)
