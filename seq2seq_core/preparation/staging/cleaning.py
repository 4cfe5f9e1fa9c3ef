"""Rows as a reader yields them in; those that stay, normalised, and those that a rule of their corpus rejects, out."""

from __future__ import annotations

import pyarrow as pa

from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.records import Records
from seq2seq_core.text.rules.base import Rows
from seq2seq_core.text.rules.catalogue import sift


def clean(raw: Records, recipe: Recipe, corpus: Corpus, origin: str) -> tuple[Records, list[pa.Table]]:
    """Normalise both sides, ask every rule; the rows that stay, and those rejected."""
    records, rows = normalized(raw, recipe, corpus, origin)
    rejected = []
    for sifted in sift(records, rows, corpus.filters):
        rejected.append(sifted.rejected)
        records = sifted.kept
    return records, rejected


def normalized(raw: Records, recipe: Recipe, corpus: Corpus, origin: str) -> tuple[Records, Rows]:
    """The rows of a file with both sides normalised, as they go on and as rules judge them."""
    source, target = (
        modality.normalized(raw.column(side), corpus.normalize) for side, modality in recipe.sides.items()
    )
    rows = Rows(source.text, target.text, corpus.sides, lines=raw.lines, origin=origin)
    return Records(raw.lines, source.column, target.column, raw.score), rows
