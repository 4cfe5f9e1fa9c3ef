"""Band files of all shards in, the near-duplicates of each shard out: edges bucket by bucket, then their components.

Where the entries of a bucket stand in all band files of the generation is written down once, so that who searches a
bucket is told of one file, and asks for the bytes it needs of many shards together.

Rows that share a band are alike, and so are rows that are alike to the same row. Of all rows that hang together so,
one stays: the one of the oldest generation, and in a generation the one with the smallest id. Of earlier generations
only the entries near a row of this one are looked at, and then which rows stay in the place of those (`aliases`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.errors import DatasetError
from seq2seq_core.preparation.known.runs import find, in_order, write_part
from seq2seq_core.preparation.shuffle.batch_file import read_batch, read_batches, write_batches
from seq2seq_core.preparation.sieves.near.aliases import add_aliases, with_aliases
from seq2seq_core.preparation.sieves.near.bands import (
    BAND_ENTRIES,
    KEY_BYTES,
    Entries,
    entries_of,
    from_run,
    split_keys,
    to_run,
)
from seq2seq_core.preparation.sieves.near.connected import Keys, components
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.known import WIDTHS, KnownPart
from seq2seq_core.preparation.terms.markers import publish_marker, read_marker
from seq2seq_core.preparation.terms.messages import BandsReport, Buckets, Drops, EdgesReport, NearPlan
from seq2seq_core.preparation.terms.octets import from_column, halves, to_column
from seq2seq_core.storage import Range

_RUN_ENTRIES = 1 << 21
_READ_BYTES = 64 << 20
_PLACES = pa.schema([pa.field(end, pa.int64(), nullable=False) for end in ("begin", "end")])
_EDGES = pa.schema([pa.field(end, pa.binary(KEY_BYTES), nullable=False) for end in ("left", "right")])
DROPPED = pa.schema([pa.field(name, pa.binary(ID_BYTES), nullable=False) for name in ("id", "kept")])
"""A near-duplicate, and the row that stays in its place (which may be of an earlier generation); in order of id."""


def find_buckets(plan: NearPlan, bands: Sequence[BandsReport]) -> Buckets:
    """Publish where in the band files the entries of each bucket stand.

    Raises:
        DatasetError: A shard's band file is missing or there twice.
    """
    bands = sorted(bands, key=lambda report: report.index)
    _check_once("band files of shards", [report.index for report in bands], plan.shards, plan)
    positions = np.array([report.positions for report in bands], np.int64)
    url = layout.buckets(plan)
    with write_batches(url, _PLACES, durable=False) as out:
        for bucket in range(plan.buckets):
            ends = (np.ascontiguousarray(positions[:, place]) for place in (bucket, bucket + 1))
            out.add(pa.record_batch([pa.array(end) for end in ends], schema=_PLACES))
    return Buckets(path=url, positions=out.positions_at)


def find_edges(plan: NearPlan, bucket: int, places: Buckets, run_entries: int = _RUN_ENTRIES) -> EdgesReport:
    """Write the edges of a bucket, unless its marker says that this has been done.

    Of rows that share a band, each is tied to the first one, so a group of any size has fewer edges than rows. Entries
    are taken in runs of bounded size, and of each run only the first row of each hash goes on to the next. In memory
    are the entries of the bucket: as many as a shard has rows, times the bands. For later generations they are
    published in the order of their hashes.

    Raises:
        DatasetError: A band file, or one with the entries of earlier generations, is damaged.
    """
    marker = layout.edges_marker(plan, bucket)
    report = read_marker(EdgesReport, marker)
    if report is None:
        report = _write_edges(plan, bucket, places, run_entries)
        publish_marker(marker, report)
    return report


def write_drops(plan: NearPlan, edges: Sequence[EdgesReport], run_edges: int = _RUN_ENTRIES) -> Drops:
    """Write the near-duplicates of every shard, a batch (`DROPPED`) each.

    Memory grows with the number of rows that have a near-duplicate (some 200 bytes for each), not with the edges.

    Raises:
        DatasetError: The edges of a bucket are missing or there twice.
    """
    _check_once("edges of buckets", [report.index for report in edges], plan.buckets, plan)
    members, kept = with_aliases(plan, *_connect(plan, run_edges))
    rank, ids, shards = split_keys(members)
    gone = (rank == plan.generation) & (members != kept).any(axis=1)
    _, kept_ids, _ = split_keys(kept)
    order = np.flatnonzero(gone)[np.argsort(shards[gone], kind="stable")]
    ends = np.searchsorted(shards[order], np.arange(plan.shards), side="right")
    url = layout.dropped(plan)
    with write_batches(url, DROPPED, durable=False) as out:
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            rows = order[begin:end]
            columns = [to_column(ids[rows]), to_column(kept_ids[rows])]
            out.add(pa.record_batch(columns, schema=DROPPED))
    known = add_aliases(plan, members, kept)
    return Drops(path=url, positions=out.positions_at, rows=len(order), known=known)


def kept_instead(ids: pa.FixedSizeBinaryArray, drops: Drops, shard: int) -> pa.FixedSizeBinaryArray:
    """For each id of a shard, the id of the row that stays in its place; null where it is no near-duplicate."""
    dropped = read_batch(drops.path, drops.positions, shard, DROPPED)
    if dropped is None:
        return pa.nulls(len(ids), pa.binary(ID_BYTES))
    return dropped.column("kept").take(pc.index_in(ids, value_set=dropped.column("id")))


def _write_edges(plan: NearPlan, bucket: int, places: Buckets, run_entries: int) -> EdgesReport:
    path, count = layout.edges(plan, bucket), 0
    own = list(_own(plan, bucket, places))
    with storage.publish(path) as out, pa.ipc.new_file(out, _EDGES) as sink:
        for left, right in _edges(_runs(itertools.chain(_earlier(plan, own), own), run_entries)):
            sink.write_batch(pa.record_batch([to_column(left), to_column(right)], schema=_EDGES))
            count += len(left)
    return EdgesReport(index=bucket, edges=count, known=_add_bands(plan, bucket, own))


def _add_bands(plan: NearPlan, bucket: int, own: Sequence[Entries]) -> KnownPart | None:
    """Publish the entries of a bucket, for later generations; None where nobody asks for them."""
    cut = plan.known.adds.get("bands")
    nothing = np.zeros((0, WIDTHS["bands"]), np.uint8)
    entries = in_order(np.concatenate([nothing, *map(to_run, own)]))
    return None if cut is None else write_part(plan.output, cut, bucket, entries)


def _runs(entries: Iterable[Entries], run_entries: int) -> Iterator[list[Entries]]:
    """All entries, some files of them together."""
    run: list[Entries] = []
    count = 0
    for some in entries:
        run.append(some)
        count += len(some.hashes)
        if count >= run_entries:
            yield run
            run, count = [], 0
    yield run


def _earlier(plan: NearPlan, own: Sequence[Entries]) -> Iterator[Entries]:
    """The entries of earlier generations that share a hash with one of this, the oldest row of each hash first."""
    runs = plan.known.of("bands")
    hashes = np.unique(np.concatenate([np.zeros(0, np.uint64), *(entries.hashes for entries in own)]))
    if runs and len(hashes):
        pieces = [from_run(find(plan.output, run, WIDTHS["bands"], hashes)) for run in runs]
        alike = [np.isin(piece.hashes, hashes) for piece in pieces]
        found = [Entries(piece.hashes[rows], piece.keys[rows]) for piece, rows in zip(pieces, alike, strict=True)]
        every = Entries(np.concatenate([f.hashes for f in found]), np.concatenate([f.keys for f in found]))
        rank, ids, _ = split_keys(every.keys)
        high, low = halves(ids)
        order = np.lexsort((low, high, rank, every.hashes))
        yield Entries(every.hashes[order], every.keys[order])


def _own(plan: NearPlan, bucket: int, places: Buckets) -> Iterator[Entries]:
    """The entries of a bucket of this generation, shard by shard."""
    shard = 0
    for ranges in _together(_ranges(plan, bucket, places)):
        for batch in read_batches(ranges, BAND_ENTRIES):
            yield entries_of(batch, plan.generation, shard)
            shard += 1


def _ranges(plan: NearPlan, bucket: int, places: Buckets) -> Iterator[Range]:
    """Where the entries of a bucket stand, shard by shard; of a shard without some there is a batch as well."""
    found = read_batch(places.path, places.positions, bucket, _PLACES)
    if found is not None:
        ends = zip(*(found.column(name).to_pylist() for name in ("begin", "end")), strict=True)
        yield from (Range(layout.bands(plan, shard), *pair) for shard, pair in enumerate(ends))


def _together(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """Neighbours of so many bytes that they can be in memory at the same time."""
    some: list[Range] = []
    size = 0
    for part in ranges:
        some.append(part)
        size += part.end - part.begin
        if size >= _READ_BYTES:
            yield some
            some, size = [], 0
    yield some


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


def _connect(plan: NearPlan, run_edges: int) -> tuple[Keys, Keys]:
    """All keys that have an edge, in order, and the smallest of each one's component.

    Whenever enough edges have come together, they give way to one from each key to its representative.
    """
    nothing = np.empty((0, KEY_BYTES), np.uint8)
    left, right, waiting = [nothing], [nothing], 0
    for bucket in range(plan.buckets):
        for batch in _read(layout.edges(plan, bucket)):
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


def _check_once(what: str, found: Sequence[int], count: int, plan: NearPlan) -> None:
    if sorted(found) != list(range(count)):
        raise DatasetError(
            f"some {what} are missing or there twice",
            where=storage.redact(plan.output),
            found=sorted(found),
            expected=f"each of {count} once",
        )
