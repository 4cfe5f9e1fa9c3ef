"""Staged units in, the rows of one shard out: deduplicated and in their final order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core import storage
from seq2seq_core.dataset.reader import read_ids
from seq2seq_core.dataset.schema import shard_name
from seq2seq_core.preparation.shuffle.hashing import from_column, hash_order
from seq2seq_core.preparation.shuffle.staged_file import read_staged, staged_schema
from seq2seq_core.preparation.terms.messages import Partition, Plan, UnitReport

ORIGIN = pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False)
CORPUS = pa.field("corpus", pa.int32(), nullable=False)


def gather(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> tuple[pa.Table, int]:
    """The rows of a shard, and how many duplicates were left out.

    The columns are those of `STAGED`, `origin`, and `corpus`, a position in `job.corpora`.

    Rows of a given split stand as in its files. Rows of the corpora stand in the order of their ids, and of equal
    ids only the first in corpus order or the one with the best score stays (all, when the recipe says not to
    deduplicate). As shards hold ranges of
    ids, the rows of all shards one after the other are in that order too: the first rows are a uniform sample.
    Ids that stand in the same shard of an earlier generation are duplicates as well.
    """
    table = _read(plan, partition, sorted(units, key=lambda unit: unit.index))
    if partition.slot is None:
        return table, 0
    scores = table.column("score").to_numpy() if plan.job.recipe.keep == "best" else None
    order, first = hash_order(from_column(table.column("id").combine_chunks()), scores)
    if plan.job.recipe.deduplicate == "none":
        return table.take(pa.array(order)), 0
    rows = _without_earlier(plan, partition, table.take(pa.array(order[first])))
    return rows, table.num_rows - rows.num_rows


def _without_earlier(plan: Plan, partition: Partition, rows: pa.Table) -> pa.Table:
    """The rows whose ids no earlier generation has; the ids of one generation are in memory at a time."""
    for folder in plan.earlier:
        parts = [partition.split, *([folder] if folder else []), shard_name(partition.index, partition.count)]
        ids = read_ids(storage.join(plan.job.output, *parts))
        rows = rows.filter(pc.invert(pc.is_in(rows.column("id"), value_set=ids)))
    return rows


def _read(plan: Plan, partition: Partition, units: Sequence[UnitReport]) -> pa.Table:
    """All rows dealt to a shard, in corpus order."""
    role = "train" if partition.slot is not None else partition.split
    names = list(dict.fromkeys(unit.origin for unit in plan.units))
    batches, origins, corpora = [], [], []
    for report in units:
        unit = plan.units[report.index]
        if unit.role == role:
            found = list(read_staged(report.path, partition.slot or 0, plan.staged_slots(role)))
            batches += found
            rows = sum(batch.num_rows for batch in found)
            origins.append(np.full(rows, names.index(unit.origin), np.int32))
            corpora.append(np.full(rows, unit.corpus, np.int32))
    nothing: npt.NDArray[np.int32] = np.zeros(0, np.int32)
    origin = pa.DictionaryArray.from_arrays(np.concatenate([nothing, *origins]), pa.array(names, pa.string()))
    table = pa.Table.from_batches(batches, staged_schema(with_score=plan.job.recipe.keep == "best")).append_column(
        ORIGIN, origin
    )
    return table.append_column(CORPUS, pa.array(np.concatenate([nothing, *corpora])))
