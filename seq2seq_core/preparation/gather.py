"""Staged units in, the rows of one shard out: deduplicated and in their final order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.preparation.exchange import STAGED, read_staged
from seq2seq_core.preparation.hashing import from_column, hash_order
from seq2seq_core.preparation.messages import Partition, Plan, UnitReport
from seq2seq_core.preparation.stage import staged_slots

ORIGIN = pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False)
CORPUS = pa.field("corpus", pa.int32(), nullable=False)


def gather(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> tuple[pa.Table, int]:
    """The rows of a shard, and how many duplicates were left out.

    The columns are those of `STAGED`, `origin`, and `corpus`, a position in `job.corpora`.

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
    batches, origins, corpora = [], [], []
    for report in units:
        unit = plan.units[report.index]
        if unit.role == role:
            found = list(read_staged(report.path, partition.slot or 0, staged_slots(plan, role)))
            batches += found
            rows = sum(batch.num_rows for batch in found)
            origins.append(np.full(rows, names.index(unit.origin), np.int32))
            corpora.append(np.full(rows, unit.corpus, np.int32))
    nothing: npt.NDArray[np.int32] = np.zeros(0, np.int32)
    origin = pa.DictionaryArray.from_arrays(np.concatenate([nothing, *origins]), pa.array(names, pa.string()))
    table = pa.Table.from_batches(batches, STAGED).append_column(ORIGIN, origin)
    return table.append_column(CORPUS, pa.array(np.concatenate([nothing, *corpora])))
