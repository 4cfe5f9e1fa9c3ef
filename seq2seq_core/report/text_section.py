"""The text of a corpus in; the drawings, figures and rows of its part of the page out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2seq_core.report.charts import Bars, outlines, ratios
from seq2seq_core.report.corpus.corpus import RATE_BINS, RATE_LIMIT, Corpus
from seq2seq_core.report.corpus.length_scan import RATIO_OCTAVES
from seq2seq_core.report.corpus.text_figures import SideFigures

Row = tuple[str, str, list[str]]


@dataclass(frozen=True)
class TextSection:
    """What the template shows.

    Attributes:
        charts: Caption and drawing.
        figures: Name, meaning and one value a side.
        has_languages: Whether the sides have languages; without a package none can be told.
    """

    charts: tuple[tuple[str, str], ...]
    figures: tuple[Row, ...]
    has_languages: bool


def text_section(corpus: Corpus, *, is_joint: bool) -> TextSection:
    """Draw and format; figures of a side without text leave no trace. `is_joint`: both sides share one vocabulary."""
    vocabulary = "the vocabulary of both sides" if is_joint else "the side's vocabulary"

    return TextSection(
        charts=tuple(_charts(corpus)),
        figures=tuple(
            (name, meaning.format(vocabulary=vocabulary), [show(side) for side in corpus.sides])
            for name, meaning, show in _FIGURES
        ),
        has_languages=corpus.language_rows > 0,
    )


def _charts(corpus: Corpus) -> list[tuple[str, str]]:
    drawn = []
    if any(corpus.lengths.ratios):
        bars = Bars("target tokens : source tokens, of all training rows", corpus.lengths.ratios)
        drawn.append(("Length ratio", ratios("Length ratio", RATIO_OCTAVES, bars)))
    if any(map(any, corpus.rates)):
        edges = np.linspace(0, RATE_LIMIT, RATE_BINS + 1).tolist()
        sides = [Bars(side.name, rates) for side, rates in zip(corpus.sides, corpus.rates, strict=True)]
        drawn.append(("Tokens per character", outlines("tokens per character of a row", edges, sides)))
    return drawn


def _rate(value: float | None, pattern: str = ".3f") -> str:
    return "" if value is None else format(value, pattern)


def _percent(value: float | None) -> str:
    """With as many decimals as a small share needs; a share of nothing is 0."""
    if value is None:
        return ""
    return "0 %" if not value else f"{100 * value:.1f} %" if value >= 0.01 else f"{100 * value:.3g} %"


def _used(side: SideFigures) -> str:
    return f"{_percent(side.coverage)} ({side.pieces_used:,} of {side.pieces:,})" if side.pieces else ""


_FIGURES = (
    ("tokens per character", "how finely text is cut", lambda side: _rate(side.tokens_per_character)),
    ("fertility", "tokens per word, where words are separated by spaces", lambda side: _rate(side.fertility, ".2f")),
    ("vocabulary coverage", "pieces of {vocabulary} that occur in the sample", _used),
    ("<unk> rate", "tokens that stand for nothing the vocabulary knows", lambda side: _percent(side.unknown_share)),
    ("byte fallback", "tokens that spell one byte of an unknown character", lambda side: _percent(side.byte_share)),
    ("shared texts", "rows whose text on this side another row has too", lambda side: f"{side.shared_texts:,}"),
    (
        "size",
        "of the sample",
        lambda side: f"{side.characters:,} characters, {side.words:,} words, {side.tokens:,} tokens",
    ),
)
