"""The catalogue of staged files in, the rows of one shard out: deduplicated and in their final order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.known.rows import are_known
from seq2seq_core.preparation.shuffle.batch_file import read_batches
from seq2seq_core.preparation.shuffle.catalogue import PLACES, places_of, ranges_of
from seq2seq_core.preparation.shuffle.hashing import hash_order
from seq2seq_core.preparation.shuffle.staged_file import staged_schema
from seq2seq_core.preparation.terms.corpus import Role
from seq2seq_core.preparation.terms.messages import Head, Partition, Staged
from seq2seq_core.preparation.terms.octets import from_column

ORIGIN = pa.field("origin", pa.dictionary(pa.int32(), pa.string()), nullable=False)
CORPUS = pa.field("corpus", pa.int32(), nullable=False)


def gather(head: Head, partition: Partition, staged: Staged) -> tuple[pa.Table, int]:
    """The rows of a shard, and how many duplicates were left out.

    The columns are those of a `staged_schema`, `origin`, and `corpus`, a position in `head.corpora`.

    Rows of a given split stand as in its files. Rows of the corpora stand in the order of their ids, and of equal
    ids only the first in corpus order or the one with the best score stays (all, when the recipe says not to
    deduplicate). As shards hold ranges of
    ids, the rows of all shards one after the other are in that order too: the first rows are a uniform sample.
    Ids that stand in an earlier generation are duplicates as well.
    """
    if partition.slot is None:
        return staged_rows(head, staged, partition.split), 0
    table = staged_rows(head, staged, "train", partition.slot)
    scores = table.column("score").to_numpy() if head.recipe.keep == "best" else None
    order, first = hash_order(from_column(table.column("id").combine_chunks()), scores)
    if head.recipe.deduplicate == "none":
        return table.take(pa.array(order)), 0
    rows = _without_earlier(head, table.take(pa.array(order[first])))
    return rows, table.num_rows - rows.num_rows


def staged_rows(head: Head, staged: Staged, role: Role, slot: int = 0) -> pa.Table:
    """All rows dealt to a slot of the corpora or, of another role than theirs, all of its rows: in corpus order."""
    places = places_of(head, staged, role, slot) or pa.RecordBatch.from_pylist([], PLACES)
    schema = staged_schema(head.recipe)
    batches = read_batches(ranges_of(head, places), schema)
    counts = np.array([batch.num_rows for batch in batches], np.int64)
    spread = pa.array(np.repeat(np.arange(len(batches)), counts))
    origin = places.column("origin").dictionary_encode().take(spread)
    table = pa.Table.from_batches(batches, schema).append_column(ORIGIN, origin)
    return table.append_column(CORPUS, places.column("corpus").take(spread))


def _without_earlier(head: Head, rows: pa.Table) -> pa.Table:
    """The rows whose ids no earlier generation has: it costs a look near each id into each of a few files."""
    if not head.known.of("rows"):
        return rows
    return rows.filter(pc.invert(are_known(head, rows.column("id").combine_chunks())))
