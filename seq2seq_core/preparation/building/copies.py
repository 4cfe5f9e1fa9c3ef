"""The rows of a training shard in; the same with the other forms of each that its modality makes, behind them, out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from seq2seq_core.dataset.sides import DatasetSide, Sides
from seq2seq_core.preparation.building.batches import batches_of
from seq2seq_core.preparation.shuffle.hashing import digests, pair_digests
from seq2seq_core.preparation.terms.octets import from_column, to_column


def with_copies(rows: pa.Table, table: pa.Table, sides: Sides) -> tuple[pa.Table, dict[str, int]]:
    """Add copies, those of one sort after those of another, so that the rows that were read still come first.

    Args:
        rows: Columns of `gather.gather`.
        table: Columns of a shard, row by row the same.
        sides: What both sides are.

    Returns:
        Columns of a shard, and how many copies of each sort there are. A copy has an id of its own; all but its source
        is that of its row.
    """
    side, copies, begin = sides["source"], dict[str, list[pa.Table]](), 0
    for batch in batches_of(rows):
        encoded = table.slice(begin, batch.num_rows)
        begin += batch.num_rows
        for sort, staged in side.modality.copies(batch.column(side.name)):
            copies.setdefault(sort, []).append(_copied(encoded, staged, side, sort))
    counts = {sort: sum(part.num_rows for part in parts) for sort, parts in copies.items()}
    return pa.concat_tables([table, *(part for parts in copies.values() for part in parts)]), counts


def _copied(encoded: pa.Table, staged: pa.Array, side: DatasetSide, sort: str) -> pa.Table:
    content = side.modality.content(staged, None)
    lengths = side.modality.lengths(pa.chunked_array([content])).astype(np.int32)
    ids = pa.concat_arrays(encoded.column("id").chunks)
    columns = {"id": ids_of_copies(ids, sort), side.name: content, side.length_name: pa.array(lengths)}
    columns |= {side.note_name(note): held for note, held in side.modality.noted(staged).items()}
    chosen = [columns.get(name, encoded.column(name)) for name in encoded.column_names]
    return pa.table(chosen, schema=encoded.schema)


def ids_of_copies(column: pa.FixedSizeBinaryArray, sort: str) -> pa.FixedSizeBinaryArray:
    """The ids that copies of one sort have, of the ids of their rows."""
    ids = from_column(column)
    return to_column(pair_digests(ids, np.repeat(digests(pa.array([sort])), len(ids), axis=0)))
