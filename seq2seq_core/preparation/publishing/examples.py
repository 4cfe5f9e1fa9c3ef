"""Rejected rows in, a few of each rule out: the same ones every time, from all over the corpora."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.shuffle.hashing import digests, hash_order


def pick_examples(rows: pa.Table, count: int) -> pa.Table:
    """At most `count` rows of each rule, those whose place (`origin` and `line`) has the smallest digest.

    The rules stand in alphabetical order, the rows of one in hash order; so picking from picked rows of parts gives
    what picking from all rows would.

    Args:
        rows: With the columns `origin`, `line` and `rule` of `schema.REJECTED_SCHEMA`, and any others.
        count: Examples of each rule.
    """
    places = pc.binary_join_element_wise(
        rows.column("origin").cast(pa.string()), rows.column("line").cast(pa.string()), "\n"
    ).combine_chunks()
    order, _ = hash_order(digests(places))
    rules = rows.column("rule").cast(pa.string()).combine_chunks().take(pa.array(order))
    codes = rules.dictionary_encode()
    indices = codes.indices.to_numpy()
    names = codes.dictionary.to_pylist()
    chosen = [np.flatnonzero(indices == code)[:count] for _, code in sorted(zip(names, range(len(names)), strict=True))]
    return rows.take(pa.array(order[np.concatenate([np.zeros(0, np.int64), *chosen])]))
