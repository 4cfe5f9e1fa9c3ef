"""Staged held-out sets in, one file with the digests of their sources out: no training row may have one of these."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.schema import ID_BYTES
from seq2seq_core.preparation.shuffle.batch_file import read_batches, read_positions
from seq2seq_core.preparation.shuffle.catalogue import check_once, positions_of
from seq2seq_core.preparation.shuffle.hashing import digests
from seq2seq_core.preparation.shuffle.staged_file import staged_schema
from seq2seq_core.preparation.terms import layout
from seq2seq_core.preparation.terms.messages import NO_SOURCES, HeldOutSources, Plan, UnitReport
from seq2seq_core.preparation.terms.octets import to_column
from seq2seq_core.storage import Range

_SCHEMA = pa.schema([pa.field("source", pa.binary(ID_BYTES), nullable=False)])


def collect_sources(plan: Plan, reports: Sequence[UnitReport]) -> HeldOutSources:
    """Publish the digests of the sources of all units that are not of the corpora; nothing where there are none.

    Raises:
        DatasetError: Such a unit is missing or there twice, or a staged file is damaged.
    """
    check_once(plan, [unit for unit in plan.units if unit.role != "train"], reports)
    if not reports:
        return NO_SOURCES
    schema, sides = staged_schema(plan.head.recipe), plan.head.recipe.sides
    places = [positions_of(plan.head, report) for report in reports]
    ranges = [
        Range(place.url, *pair)
        for place, positions in zip(places, read_positions(places), strict=True)
        for pair in zip(positions[:-1].tolist(), positions[1:].tolist(), strict=True)
        if pair[0] != pair[1]
    ]
    keys = [
        held_out_keys(*(modality.keys(batch.column(side)) for side, modality in sides.items()))
        for batch in read_batches(ranges, schema)
    ]
    found = to_column(digests(pa.chunked_array(keys, pa.large_binary()))).unique()
    url = layout.held_out_sources(plan.head)
    with storage.publish(url, durable=False) as out, pa.ipc.new_file(out, _SCHEMA) as sink:
        sink.write_batch(pa.record_batch([found], schema=_SCHEMA))
    return HeldOutSources(path=url)


@functools.lru_cache(maxsize=2)
def load_sources(url: str) -> pa.FixedSizeBinaryArray:
    """The digests that `collect_sources` published, kept for the next unit."""
    with storage.open_input(url) as file, pa.ipc.open_file(file) as reader:
        return reader.get_batch(0).column("source")


def held_out_keys(source: pa.Array, target: pa.Array) -> pa.Array:
    """What rows are held out by, of both sides' keys: the source's, or the target's where that is empty."""
    source, target = (keys.cast(pa.large_binary()) for keys in (source, target))
    alone = pc.equal(pc.binary_length(source), 0)
    return pc.if_else(alone, target, source) if pc.any(alone).as_py() else source
