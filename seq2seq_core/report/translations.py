"""Files of hypotheses and references in, their scores and examples out, as a page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq_core.errors import InputError
from seq2seq_core.files.segments import read_segments
from seq2seq_core.metrics.measures import MEASURES, RECOGNITION
from seq2seq_core.metrics.recognition import RecognitionMetric
from seq2seq_core.metrics.translation import TranslationScores, score
from seq2seq_core.metrics.utterances import match, read_utterances
from seq2seq_core.report.data import Example, Score, ScoreTable


class Translated(NamedTuple):
    """A test set: its scores, and every translation beside its reference."""

    scores: tuple[ScoreTable, ...]
    rows: tuple[Example, ...]


def read_translations(sources: Sequence[str], hypotheses: Sequence[str], references: Sequence[str]) -> Translated:
    """Read and score a test set; nothing of none.

    Raises:
        InputError: The files differ in their number of lines.
    """
    if not sources:
        return Translated((), ())
    texts = [read_segments(files) for files in (sources, hypotheses, references)]
    table = score_table(score(texts[1], texts[2]))
    if len(texts[0]) != len(texts[2]):
        raise InputError(
            "sources and references do not match", found=f"{len(texts[0])} sources", expected=len(texts[2])
        )
    return Translated((table,), tuple(Example(*row) for row in zip(*texts, strict=True)))


def read_transcripts(hypotheses: Sequence[str], references: Sequence[str], language: str) -> Translated:
    """Read and score transcripts; their ids stand where sources would. Nothing of none.

    Raises:
        InputError: Hypotheses and references do not match; see `metrics.utterances`.
    """
    if not hypotheses:
        return Translated((), ())
    matched = match(read_utterances(hypotheses), read_utterances(references))
    metric = RecognitionMetric(language)
    found = metric.scores(metric.sums(matched.hypotheses, matched.references))
    rates = {"wer": found.wer, "cer": found.cer}
    scores = [
        Score(MEASURES[name].label, rates[name], "%", metric.signature(name))
        for name in sorted(RECOGNITION, key=lambda name: name != metric.main)
    ]
    whole = Score("Utterances without an error", 100 - 100 * found.wrong / found.utterances, unit="%")
    rows = zip(matched.ids, matched.hypotheses, matched.references, strict=True)
    table = ScoreTable(f"{found.utterances:,} utterances", (*scores, whole))
    return Translated((table,), tuple(Example(*row) for row in rows))


def score_table(scores: TranslationScores) -> ScoreTable:
    """The scores of one test set as the page shows them."""
    return ScoreTable(
        f"{scores.segments:,} segments",
        (
            Score("BLEU", scores.bleu, signature=scores.bleu_signature),
            Score("chrF2", scores.chrf, signature=scores.chrf_signature),
            Score("Exact match", 100 * scores.exact_match, unit="%"),
        ),
    )


def spread(rows: Sequence[Example], count: int) -> tuple[Example, ...]:
    """So many rows, evenly spread over all."""
    if not rows:
        return ()
    positions = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return tuple(rows[position] for position in positions)
