"""Rows as a reader yields them in; those that stay, normalised, and those that a rule of their corpus rejects, out."""

from __future__ import annotations

import pyarrow as pa

from seq2seq_core.preparation.terms.messages import Corpus
from seq2seq_core.records import Records
from seq2seq_core.text.normalize import normalize
from seq2seq_core.text.rules.catalogue import sift


def clean(raw: Records, corpus: Corpus) -> tuple[Records, list[pa.RecordBatch]]:
    """Normalise both sides, ask every rule; the rows that stay, and those rejected."""
    records = normalized(raw, corpus)
    rejected = []
    for sifted in sift(records, corpus.filters, corpus.sides):
        rejected.append(sifted.rejected)
        records = sifted.kept
    return records, rejected


def normalized(raw: Records, corpus: Corpus) -> Records:
    """The rows with both sides normalised."""
    source, target = (normalize(side, corpus.normalize) for side in (raw.source, raw.target))
    return Records(raw.lines, source, target, raw.score)
