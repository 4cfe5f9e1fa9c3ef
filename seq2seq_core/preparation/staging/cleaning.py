"""Rows as a reader yields them in; those that stay, normalised, and those that a rule of their corpus rejects, out."""

from __future__ import annotations

import pyarrow as pa

from seq2seq_core.preparation.terms.messages import Corpus
from seq2seq_core.records import Records
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import normalize
from seq2seq_core.text.rules.base import Rows
from seq2seq_core.text.rules.catalogue import sift


def clean(raw: Records, corpus: Corpus, origin: str) -> tuple[Records, list[pa.Table]]:
    """Normalise both sides, ask every rule; the rows that stay, and those rejected."""
    records, rows = normalized(raw, corpus, origin)
    rejected = []
    for sifted in sift(records, rows, corpus.filters):
        rejected.append(sifted.rejected)
        records = sifted.kept
    return records, rejected


def normalized(raw: Records, corpus: Corpus, origin: str) -> tuple[Records, Rows]:
    """The rows of a file with both sides normalised, as they go on and as rules judge them."""
    source, target = (normalize(TextColumn(side), corpus.normalize) for side in (raw.source, raw.target))
    rows = Rows(source, target, corpus.sides, lines=raw.lines, origin=origin)
    return Records(raw.lines, source.column, target.column, raw.score), rows
