"""Rows of a shard and what they were encoded to in; those that pass the rules on pieces, and those that do not, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.records import reject


def within_token_limits(
    rows: pa.Table, encoded: pa.Table, corpora: Sequence[Corpus]
) -> tuple[pa.Table, pa.Table, list[pa.Table]]:
    """Ask the rules on pieces that are on, those of each corpus of its own rows; a row counts under the first it fails.

    Args:
        rows: Columns of `gather.gather`.
        encoded: Columns of a shard, row by row the same.
        corpora: All corpora of the run.

    Returns:
        Both tables without the rows beyond, and those (columns of `REJECTED_SCHEMA`), by corpus.
    """
    places = rows.column("corpus").to_numpy()
    stays = np.ones(len(places), np.bool_)
    rejected = []
    for index, corpus in enumerate(corpora):
        own = places == index
        for name, rule in corpus.filters.piece_rules() if own.any() else ():
            source = encoded.column("source_length").combine_chunks() if corpus.has_source else None
            measure = rule.measure_lengths(source, encoded.column("target_length").combine_chunks())
            failed = own & stays & measure.failed.to_numpy(zero_copy_only=False)
            described = measure.only(failed).describe_failed()
            rejected.append(reject(rows, pa.array(failed), name, described, rule.threshold).rejected)
            stays &= ~failed
    if stays.all():
        return rows, encoded, rejected
    mask = pa.array(stays)
    return rows.filter(mask), encoded.filter(mask), rejected
