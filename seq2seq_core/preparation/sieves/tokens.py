"""Rows of a shard and what they were encoded to in; those within the limits on pieces, and those beyond, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.preparation.sieves.base import sieve
from seq2seq_core.preparation.terms.messages import Corpus

TOKENS = "tokens"


def within_token_limits(
    rows: pa.Table, encoded: pa.Table, corpora: Sequence[Corpus]
) -> tuple[pa.Table, pa.Table, list[pa.Table]]:
    """Ask the rule `tokens` of each corpus, where it is on.

    Args:
        rows: Columns of `gather.gather`.
        encoded: Columns of a shard, row by row the same.
        corpora: All corpora of the run.

    Returns:
        Both tables without the rows beyond, and those (columns of `REJECTED_SCHEMA`), by corpus.
    """
    places = rows.column("corpus").to_numpy()
    gone = np.zeros(len(places), np.bool_)
    rejected = []
    for index, corpus in enumerate(corpora):
        rule = corpus.filters.tokens
        if rule is None or not (places == index).any():
            continue
        source = encoded.column("source_length").combine_chunks() if corpus.has_source else None
        measure = rule.measure_lengths(source, encoded.column("target_length").combine_chunks())
        failed = (places == index) & measure.failed.to_numpy(zero_copy_only=False)
        described = measure.only(failed).describe_failed()
        rejected.append(sieve(rows, pa.array(failed), TOKENS, described, rule.threshold).rejected)
        gone |= failed
    if not gone.any():
        return rows, encoded, rejected
    stays = pc.invert(pa.array(gone))
    return rows.filter(stays), encoded.filter(stays), rejected
