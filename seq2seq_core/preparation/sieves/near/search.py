"""Band files of all shards in, the near-duplicates of each shard out: edges bucket by bucket, then their components.

Rows that share a band are alike, and so are rows that are alike to the same row. Of all rows that hang together so,
one stays: the one of the oldest generation, and in a generation the one with the smallest id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.schema import ID_BYTES, shard_name
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.shuffle.hashing import from_column, to_column
from seq2seq_core.preparation.sieves.near.bands import KEY_BYTES, Entries, read_bands, split_keys
from seq2seq_core.preparation.sieves.near.connected import Keys, components
from seq2seq_core.preparation.terms.messages import BandsReport, DropReport, EdgesReport, NearPlan

_RUN_ENTRIES = 1 << 21
_EDGES = pa.schema([pa.field(end, pa.binary(KEY_BYTES), nullable=False) for end in ("left", "right")])
DROPPED = pa.schema([pa.field(name, pa.binary(ID_BYTES), nullable=False) for name in ("id", "kept")])
"""A near-duplicate, and the row that stays in its place (which may be of an earlier generation); in order of id."""


def find_edges(
    plan: NearPlan, bucket: int, bands: Sequence[BandsReport], run_entries: int = _RUN_ENTRIES
) -> EdgesReport:
    """Write the edges of a bucket, unless its marker says that this has been done.

    Of rows that share a band, each is tied to the first one, so a group of any size has fewer edges than rows. Entries
    are read in runs of bounded size, and of each run only the first row of each hash goes on to the next.

    Raises:
        DatasetError: A shard's band file is missing or there twice, or was made with other settings.
    """
    marker = storage.join(plan.work, "edges", shard_name(bucket, plan.buckets, suffix=".json"))
    if storage.exists(marker):
        return EdgesReport.model_validate_json(storage.read_text(marker))
    path = storage.join(plan.work, "edges", shard_name(bucket, plan.buckets, suffix=".arrow"))
    count = 0
    with _new_file(path, _EDGES) as sink:
        for left, right in _edges(_runs(plan, bucket, bands, run_entries)):
            sink.write_batch(pa.record_batch([to_column(left), to_column(right)], schema=_EDGES))
            count += len(left)
    report = EdgesReport(index=bucket, path=path, edges=count)
    storage.publish_text(marker, report.model_dump_json())
    return report


def write_drops(plan: NearPlan, edges: Sequence[EdgesReport], run_edges: int = _RUN_ENTRIES) -> list[DropReport]:
    """Write the near-duplicates of every shard (`DROPPED`).

    Memory grows with the number of rows that have a near-duplicate (some 200 bytes for each), not with the edges.

    Raises:
        DatasetError: The edges of a bucket are missing or there twice.
    """
    _check_once("edges of buckets", [report.index for report in edges], plan.buckets, plan)
    members, kept = _connect(sorted(edges, key=lambda report: report.index), run_edges)
    rank, ids, shards = split_keys(members)
    gone = (rank == plan.generation) & (members != kept).any(axis=1)
    _, kept_ids, _ = split_keys(kept)
    order = np.flatnonzero(gone)[np.argsort(shards[gone], kind="stable")]
    ends = np.searchsorted(shards[order], np.arange(plan.shards), side="right")
    reports = []
    for index, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        rows = order[begin:end]
        reports.append(_write_dropped(plan, index, [to_column(ids[rows]), to_column(kept_ids[rows])]))
    return reports


def kept_instead(ids: pa.FixedSizeBinaryArray, report: DropReport) -> pa.FixedSizeBinaryArray:
    """For each id of a shard, the id of the row that stays in its place; null where it is no near-duplicate."""
    with storage.open_input(report.path) as file, pa.ipc.open_file(file) as reader:
        dropped = reader.get_batch(0)
    return dropped.column("kept").take(pc.index_in(ids, value_set=dropped.column("id")))


def _runs(plan: NearPlan, bucket: int, bands: Sequence[BandsReport], run_entries: int) -> Iterator[list[Entries]]:
    """All entries of a bucket in the order of generation and shard, in runs."""
    _check_once("band files of shards", [report.index for report in bands], plan.shards, plan)
    files = [(path, rank, 0) for rank, paths in enumerate(plan.earlier) for path in paths]
    files += [(report.path, plan.generation, report.index) for report in sorted(bands, key=lambda one: one.index)]
    run: list[Entries] = []
    for path, rank, shard in files:
        run.append(read_bands(path, plan, bucket, rank, shard))
        if sum(len(entries.hashes) for entries in run) >= run_entries:
            yield run
            run = []
    yield run


def _edges(runs: Iterable[list[Entries]]) -> Iterator[tuple[Keys, Keys]]:
    """Ends of the edges that each run of entries adds."""
    known = Entries(np.empty(0, np.uint64), np.empty((0, KEY_BYTES), np.uint8))
    for run in runs:
        hashes = np.concatenate([known.hashes, *(entries.hashes for entries in run)])
        keys = np.concatenate([known.keys, *(entries.keys for entries in run)])
        order = np.argsort(hashes, kind="stable")
        hashes, keys = hashes[order], keys[order]
        first = np.ones(len(hashes), np.bool_)
        first[1:] = hashes[1:] != hashes[:-1]
        center = np.maximum.accumulate(np.where(first, np.arange(len(hashes)), 0))
        tied = np.flatnonzero(~first)
        tied = tied[(keys[tied] != keys[center[tied]]).any(axis=1)]
        yield keys[center[tied]], keys[tied]
        known = Entries(hashes[first], keys[first])


def _connect(edges: Sequence[EdgesReport], run_edges: int) -> tuple[Keys, Keys]:
    """All keys that have an edge, in order, and the smallest of each one's component.

    Whenever enough edges have come together, they give way to one from each key to its representative.
    """
    nothing = np.empty((0, KEY_BYTES), np.uint8)
    left, right, waiting = [nothing], [nothing], 0
    for report in edges:
        for batch in _read(report.path):
            left.append(from_column(batch.column("left")))
            right.append(from_column(batch.column("right")))
            waiting += batch.num_rows
            if waiting >= run_edges:
                keys, smallest = components(np.concatenate(left), np.concatenate(right))
                left, right, waiting = [smallest], [keys], 0
    return components(np.concatenate(left), np.concatenate(right))


def _read(path: str) -> Iterator[pa.RecordBatch]:
    with storage.open_input(path) as file, pa.ipc.open_file(file) as reader:
        for position in range(reader.num_record_batches):
            yield reader.get_batch(position)


def _write_dropped(plan: NearPlan, index: int, columns: list[pa.FixedSizeBinaryArray]) -> DropReport:
    path = storage.join(plan.work, "dropped", shard_name(index, plan.shards, suffix=".arrow"))
    with _new_file(path, DROPPED) as sink:
        sink.write_batch(pa.record_batch(columns, schema=DROPPED))
    return DropReport(index=index, path=path, rows=len(columns[0]))


@contextlib.contextmanager
def _new_file(path: str, schema: pa.Schema) -> Iterator[pa.ipc.RecordBatchFileWriter]:
    with storage.publish(path) as out, pa.ipc.new_file(out, schema) as sink:
        yield sink


def _check_once(what: str, found: Sequence[int], count: int, plan: NearPlan) -> None:
    if sorted(found) != list(range(count)):
        raise DatasetError(
            f"some {what} are missing or there twice",
            where=storage.redact(plan.folder),
            found=sorted(found),
            expected=f"each of {count} once",
        )
