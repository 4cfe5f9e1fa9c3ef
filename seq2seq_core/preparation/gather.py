"""Staged units in, the rows of one shard out: deduplicated and in their final order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from seq2seq_core.preparation.exchange import STAGED, read_staged
from seq2seq_core.preparation.hashing import from_column, hash_order
from seq2seq_core.preparation.messages import Partition, Plan, UnitReport
from seq2seq_core.preparation.stage import staged_slots

ORIGIN = pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False)


def gather(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> tuple[pa.Table, int]:
    """The rows of a shard (columns of `STAGED`, and `origin`), and how many duplicates were left out.

    Rows of a given split stand as in its files. Rows of the corpora stand in the order of their ids, and of equal
    ids only the first in corpus order stays (all, when the recipe says not to deduplicate). As shards hold ranges of
    ids, the rows of all shards one after the other are in that order too: the first rows are a uniform sample.
    """
    table = _read(plan, partition, sorted(units, key=lambda unit: unit.index))
    if partition.slot is None:
        return table, 0
    order, first = hash_order(from_column(table.column("id").combine_chunks()))
    if plan.job.recipe.deduplicate != "none":
        order = order[first]
    return table.take(pa.array(order)), table.num_rows - len(order)


def _read(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> pa.Table:
    """All rows dealt to a shard, in corpus order."""
    role = "train" if partition.slot is not None else partition.split
    names = list(dict.fromkeys(unit.origin for unit in plan.units))
    batches, origins = [], []
    for report in units:
        unit = plan.units[report.index]
        if unit.split == role:
            found = list(read_staged(report.path, partition.slot or 0, staged_slots(plan, role)))
            batches += found
            origins.append(np.full(sum(batch.num_rows for batch in found), names.index(unit.origin), np.int32))
    indices = pa.array(np.concatenate(origins)) if origins else pa.array([], pa.int32())
    origin = pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
    return pa.Table.from_batches(batches, STAGED).append_column(ORIGIN, origin)
