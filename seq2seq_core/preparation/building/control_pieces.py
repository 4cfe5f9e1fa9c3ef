"""Encoded rows and the control pieces of their corpora in; the same rows with those pieces before their sources out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.tokenizer.model import Tokenizer

_NO_TAG = -1


def tags_of(corpora: Sequence[Corpus]) -> tuple[str, ...]:
    """All tags of a run, sorted."""
    return tuple(sorted({corpus.tag for corpus in corpora if corpus.tag is not None}))


def with_tags(table: pa.Table, corpus: npt.NDArray[np.int32], corpora: Sequence[Corpus], model: Tokenizer) -> pa.Table:
    """Put the tag of each row's corpus before its source; rows of corpora without one stay as they are.

    Args:
        table: Columns of a shard.
        corpus: The corpus of each row, a position in `corpora` (int32, one element a row).
        corpora: All corpora of the run.
        model: The tokenizer of the source side.

    Raises:
        TokenizerError: The tokenizer has no piece for a tag.
    """
    if not tags_of(corpora):
        return table
    ids = np.array([_NO_TAG if entry.tag is None else model.control_id(entry.tag) for entry in corpora], np.int64)
    source = _prepended(table.column("source").combine_chunks(), ids[corpus])
    lengths = pc.list_value_length(source).cast(pa.int32())
    schema = table.schema
    table = table.set_column(schema.get_field_index("source"), schema.field("source"), source)
    return table.set_column(schema.get_field_index("source_length"), schema.field("source_length"), lengths)


def _prepended(rows: pa.ListArray | pa.ChunkedArray, tags: npt.NDArray[np.int64]) -> pa.ListArray:
    """Each row with its tag before it, where it has one."""
    rows = pa.concat_arrays(rows.chunks) if isinstance(rows, pa.ChunkedArray) else rows
    tagged = tags != _NO_TAG
    offsets = rows.offsets.to_numpy().astype(np.int64)
    flat = rows.values.to_numpy()[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    values = np.insert(flat, offsets[:-1][tagged], tags[tagged].astype(flat.dtype))
    moved = offsets + np.concatenate([np.zeros(1, np.int64), np.cumsum(tagged)])
    return pa.ListArray.from_arrays(pa.array(moved.astype(np.int32)), pa.array(values), type=rows.type)
