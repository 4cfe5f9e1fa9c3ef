"""A dataset in; all that its report says about the text itself, computed from the files of the folder alone, out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.report.corpus.languages import identify
from seq2seq_core.report.corpus.length_scan import LengthScan, scan_lengths
from seq2seq_core.report.corpus.odd_rows import ShownRow, SideView, odd_rows, show_row
from seq2seq_core.report.corpus.rejects import RuleRejects, rejects_by_rule
from seq2seq_core.report.corpus.sample import Sample, Side, sample_rows, take_rows
from seq2seq_core.report.corpus.scripts import count_scripts
from seq2seq_core.report.corpus.sound import SoundFigures, look_at_sound
from seq2seq_core.report.corpus.text_figures import SideFigures, describe_side, text_tokens

RATE_BINS, RATE_LIMIT = 60, 1.2
"""Tokens a character are counted in 60 bins from 0 to 1.2."""

_SAMPLE_ROWS = 20_000
_LANGUAGE_ROWS = 2_000
_LONGEST, _RATIOS, _EXAMPLES = 5, 3, 10


@dataclass(frozen=True)
class Corpus:
    """The text of a dataset.

    Attributes:
        rows: Sampled training rows that figures and odd rows come from; lengths, their ratios and extremes come from
            all rows.
        language_rows: Those of them that were asked for their language; 0 where no package can tell.
        sides: Figures of the sides that have text.
        rates: For each of these sides, rows by tokens a character.
        lengths: Ratios of all training rows.
        longest: The longest training rows.
        odd: Training rows that stand out.
        rejects: Rejected rows by rule.
        sound: Figures of the sides that have sound.
    """

    rows: int
    language_rows: int
    sides: tuple[SideFigures, ...]
    rates: tuple[tuple[int, ...], ...]
    lengths: LengthScan
    longest: tuple[ShownRow, ...]
    odd: tuple[ShownRow, ...]
    rejects: tuple[RuleRejects, ...]
    sound: tuple[SoundFigures, ...] = ()


def look_at_corpus(dataset: Dataset, sample_size: int = _SAMPLE_ROWS) -> Corpus:
    """Compute it; the same dataset gives the same.

    Raises:
        DatasetError: A file is missing or damaged.
    """
    sample = sample_rows(dataset, sample_size)
    views = [_view(side) for side in (sample.source, sample.target) if any(side.texts)]
    lengths = scan_lengths(dataset, _LONGEST)
    return Corpus(
        rows=len(sample),
        language_rows=max((len(view.languages) for view in views), default=0),
        sides=tuple(describe_side(v.side, v.scripts, [*v.languages.values()] or None) for v in views),
        rates=tuple(_rates(view.side) for view in views),
        lengths=lengths,
        longest=_longest(dataset, lengths),
        odd=(*_uneven(dataset, lengths), *odd_rows(sample, views)),
        rejects=rejects_by_rule(dataset, _EXAMPLES),
        sound=look_at_sound(dataset),
    )


def _view(side: Side) -> SideView:
    count = len(side.texts)
    rows = [int(row) for row in np.linspace(0, count - 1, min(count, _LANGUAGE_ROWS)).round()]
    languages = identify([side.texts[row] for row in rows])
    named = {} if languages is None else dict(zip(rows, languages, strict=True))
    return SideView(side, count_scripts(side.texts), named)


def _rates(side: Side) -> tuple[int, ...]:
    """A histogram of tokens a character; the last bin counts all rows beyond it too."""
    characters = np.fromiter(map(len, side.texts), np.int64, len(side.texts))
    rates = text_tokens(side)[characters > 0] / characters[characters > 0]
    places = np.minimum((rates * RATE_BINS / RATE_LIMIT).astype(np.int64), RATE_BINS - 1)
    return tuple(np.bincount(places, minlength=RATE_BINS).tolist())


def _longest(dataset: Dataset, lengths: LengthScan) -> tuple[ShownRow, ...]:
    rows = take_rows(dataset, [extreme.place for extreme in lengths.longest])
    return tuple(show_row(rows, i, "longest", _tokens(rows, i)) for i in range(len(rows)))


def _uneven(dataset: Dataset, lengths: LengthScan) -> tuple[ShownRow, ...]:
    found = [
        (extreme.place, f"target {word} for its source", f"ratio {extreme.value:.3g}")
        for word, extremes in (("longest", lengths.highest), ("shortest", lengths.lowest))
        for extreme in extremes[:_RATIOS]
    ]
    rows = take_rows(dataset, [place for place, _, _ in found])
    return tuple(
        show_row(rows, i, reason, f"{value}: {_tokens(rows, i)}") for i, (_, reason, value) in enumerate(found)
    )


def _tokens(rows: Sample, row: int) -> str:
    source, target = (int(side.offsets[row + 1] - side.offsets[row]) for side in (rows.source, rows.target))
    return f"{source:,} and {target:,} tokens" if source and target else f"{source or target:,} tokens"
