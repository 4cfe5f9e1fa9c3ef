"""Sampled rows in; those that stand out by how they are cut, written or worded, with the measured value, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.report.corpus.sample import Sample, Side
from seq2seq_core.report.corpus.scripts import Scripts
from seq2seq_core.report.corpus.text_figures import text_tokens
from seq2seq_core.tokenizer.proto import PieceKind

_EACH = 2
_RARE_SCRIPT = 0.05
_FEW_TOKENS = 5


@dataclass(frozen=True)
class ShownRow:
    """A kept row as the report shows it: why, where it comes from and what it says."""

    reason: str
    value: str
    origin: str
    line: int
    source: str
    target: str


@dataclass(frozen=True)
class SideView:
    """What is known of a side of the sample: its rows, their scripts, and the languages of some rows by position."""

    side: Side
    scripts: Scripts
    languages: dict[int, str]


def show_row(sample: Sample, row: int, reason: str, value: str) -> ShownRow:
    """A row of the sample with the reason to show it."""
    texts = (sample.source.texts[row], sample.target.texts[row])
    return ShownRow(reason, value, sample.origins[row], sample.lines[row], *texts)


def odd_rows(sample: Sample, views: Sequence[SideView]) -> tuple[ShownRow, ...]:
    """The oddest rows of each kind, two a side, the most telling kinds first; a row is shown once."""
    shown: dict[int, ShownRow] = {}
    for kinds in zip(*map(_kinds, views), strict=True):
        for view, (reason, scores, describe) in zip(views, kinds, strict=True):
            order = [int(row) for row in np.argsort(-scores, kind="stable")[: _EACH + len(shown)] if scores[row] > 0]
            for row in [row for row in order if row not in shown][:_EACH]:
                shown[row] = show_row(sample, row, f"{view.side.name}: {reason}", describe(row))
    return tuple(shown.values())


_Kind = tuple[str, npt.NDArray[np.float64], Callable[[int], str]]


def _kinds(view: SideView) -> Iterator[_Kind]:
    """Reason, oddness of each row (0: not odd) and what says what was measured."""
    side = view.side
    characters = np.fromiter(map(len, side.texts), np.float64, len(side.texts))
    tokens = text_tokens(side).astype(np.float64)
    foreign = np.where(_is_foreign(view), characters, 0.0)
    yield "another language", foreign, lambda row: view.languages[row]
    rare = _share_of_rare_scripts(view.scripts)
    yield "letters of a rare script", rare, lambda row: f"{rare[row]:.0%} of its letters"
    spelt = side.count(PieceKind.UNKNOWN, PieceKind.BYTE) / np.maximum(tokens, 1)
    yield "outside the vocabulary", spelt, lambda row: f"{spelt[row]:.0%} <unk> or byte pieces"
    rates = np.where(tokens >= _FEW_TOKENS, tokens / np.maximum(characters, 1), 0.0)
    yield "most tokens a character", rates, lambda row: f"{rates[row]:.3g} tokens a character"
    inverse = np.divide(1.0, rates, out=np.zeros_like(rates), where=rates > 0)
    yield "fewest tokens a character", inverse, lambda row: f"{rates[row]:.3g} tokens a character"


def _is_foreign(view: SideView) -> npt.NDArray[np.bool_]:
    """Rows whose language is not the side's most frequent one."""
    known = [language for language in view.languages.values() if language]
    marks = np.zeros(len(view.side.texts), np.bool_)
    if known:
        main = max(sorted(set(known)), key=known.count)
        marks[[row for row, language in view.languages.items() if language not in ("", main)]] = True
    return marks


def _share_of_rare_scripts(scripts: Scripts) -> npt.NDArray[np.float64]:
    """The share of each row's letters that are in scripts with less than 5 % of all letters."""
    rare = scripts.counts < _RARE_SCRIPT * max(1, int(scripts.counts.sum()))
    letters = scripts.by_row.sum(axis=1)
    shares: npt.NDArray[np.float64] = scripts.by_row[:, rare].sum(axis=1) / np.maximum(letters, 1)
    return shares
