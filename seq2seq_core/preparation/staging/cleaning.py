"""Rows as a reader yields them in; those that stay, normalised, and those that a rule of their corpus rejects, out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.corpora.terms.alignments import beyond
from seq2seq_core.preparation.terms.corpus import Corpus
from seq2seq_core.preparation.terms.recipe import Recipe
from seq2seq_core.records import Problem, Records, Sifted, set_aside
from seq2seq_core.text.rules.base import Rows
from seq2seq_core.text.rules.catalogue import sift

LOW_SCORE = "low_score"
_SECONDS = "seconds"


class Readable(NamedTuple):
    """Rows with both sides normalised, those that cannot be used set aside; and the former as rules see them."""

    sifted: Sifted
    rows: Rows


def clean(raw: Records, recipe: Recipe, corpus: Corpus, origin: str) -> tuple[Records, list[pa.Table]]:
    """Normalise both sides, ask every rule; the rows that stay, and those set aside or rejected."""
    return judge(normalized(raw, recipe, corpus, origin), corpus)


def judge(found: Readable, corpus: Corpus) -> tuple[Records, list[pa.Table]]:
    """Ask every rule; the rows that stay, and those set aside or rejected."""
    records, rejected = found.sifted.kept, [found.sifted.rejected]
    for sifted in sift(records, found.rows, corpus.filters):
        rejected.append(sifted.rejected)
        records = sifted.kept
    return records, rejected


def normalized(raw: Records, recipe: Recipe, corpus: Corpus, origin: str) -> Readable:
    """The rows of a file with both sides normalised; those that their modalities cannot use are set aside."""
    source, target = (
        modality.normalized(raw.column(side), corpus.normalize) for side, modality in recipe.sides.items()
    )
    problems = [*source.problems, *target.problems, *_low(raw.score, corpus.min_score)]
    if raw.alignment is not None and recipe.keep_alignments:
        problems += beyond(raw.alignment, source.text.words, target.text.words)
    sifted = set_aside(dataclasses.replace(raw, source=source.column, target=target.column), problems)
    rows = Rows(source.text, target.text, corpus.sides, lines=raw.lines, origin=origin, measures=source.measures)
    if problems:
        stays = np.ones(len(raw), np.bool_)
        stays[[problem.row for problem in problems]] = False
        rows = rows.of(sifted.kept, stays)
    return Readable(sifted, rows)


def _low(scores: pa.DoubleArray | None, least: float | None) -> list[Problem]:
    """The rows whose score is too low."""
    if scores is None or least is None:
        return []
    values = scores.to_numpy()
    rows = np.flatnonzero(values < least).tolist()
    return [Problem(row, LOW_SCORE, f"score {values[row]:.6g}", f"at least {least:g}") for row in rows]


def seconds_by_rule(rows: Rows, rejected: Sequence[pa.Table]) -> dict[str, float]:
    """How long the rows are together that each rule rejected of some; nothing where that was not measured."""
    seconds = rows.measures.get(_SECONDS)
    if seconds is None or rows.lines is None:
        return {}
    found: dict[str, float] = {}
    for table in rejected:
        places = pc.index_in(table.column("line"), value_set=rows.lines)
        for rule in table.column("rule").unique().to_pylist():
            known = places.filter(pc.equal(table.column("rule"), rule)).drop_null().to_numpy()
            if len(known):
                found[rule] = found.get(rule, 0.0) + float(seconds[known].sum())
    return found
