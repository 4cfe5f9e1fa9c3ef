"""One side of sampled rows in; how the tokenizer covers it, and its scripts and languages, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.report.corpus.sample import Side
from seq2seq_core.report.corpus.scripts import Scripts
from seq2seq_core.tokenizer.proto import PieceKind

_MOST_SHARES = 8
_TEXT_KINDS = (PieceKind.NORMAL, PieceKind.UNKNOWN, PieceKind.USER_DEFINED, PieceKind.BYTE)


@dataclass(frozen=True)
class Share:
    """A name and its part of a whole, from 0 to 1."""

    name: str
    part: float


@dataclass(frozen=True)
class Repeated:
    """A text, and how many of the sampled rows have it."""

    text: str
    rows: int


@dataclass(frozen=True)
class SideFigures:
    """What a side of R sampled rows looks like to the tokenizer.

    Attributes:
        name: `source` or `target`.
        characters: Of all texts; `words` are separated by white space, `tokens` leave control pieces out.
        pieces: Pieces of the vocabulary that stand for text; `pieces_used` of them occur.
        unknown: Tokens that are `<unk>`; `byte_pieces` those of single bytes.
        shared_texts: Rows whose text another sampled row has too.
        scripts: Shares of the letters.
        languages: Shares of the rows that have letters; None where no package can tell.
        repeated: The most frequent texts that occur more than once.
    """

    name: str
    characters: int
    words: int
    tokens: int
    pieces: int
    pieces_used: int
    unknown: int
    byte_pieces: int
    shared_texts: int
    scripts: tuple[Share, ...]
    languages: tuple[Share, ...] | None
    repeated: tuple[Repeated, ...]

    @property
    def tokens_per_character(self) -> float | None:
        return _ratio(self.tokens, self.characters)

    @property
    def fertility(self) -> float | None:
        """Tokens a word."""
        return _ratio(self.tokens, self.words)

    @property
    def coverage(self) -> float | None:
        """Share of the vocabulary that occurs."""
        return _ratio(self.pieces_used, self.pieces)

    @property
    def unknown_share(self) -> float | None:
        return _ratio(self.unknown, self.tokens)

    @property
    def byte_share(self) -> float | None:
        return _ratio(self.byte_pieces, self.tokens)


def describe_side(side: Side, scripts: Scripts, languages: Sequence[str] | None) -> SideFigures:
    """The figures of a side, given its letters by script and the languages of some of its rows (`identify`)."""
    countable = (PieceKind.NORMAL, PieceKind.USER_DEFINED)
    used = np.unique(side.ids)
    texts = Counter(text for text in side.texts if text)
    return SideFigures(
        name=side.name,
        characters=sum(map(len, side.texts)),
        words=sum(len(text.split()) for text in side.texts),
        tokens=int(np.isin(side.kinds, _TEXT_KINDS).sum()),
        pieces=int(np.isin(side.vocabulary, countable).sum()),
        pieces_used=int(np.isin(side.vocabulary[used], countable).sum()),
        unknown=int((side.kinds == PieceKind.UNKNOWN).sum()),
        byte_pieces=int((side.kinds == PieceKind.BYTE).sum()),
        shared_texts=sum(count for count in texts.values() if count > 1),
        scripts=shares(dict(zip(scripts.names, scripts.counts.tolist(), strict=True))),
        languages=None if languages is None else shares(Counter(language for language in languages if language)),
        repeated=tuple(
            Repeated(text, count)
            for text, count in sorted(texts.items(), key=lambda item: (-item[1], item[0]))[:5]
            if count > 1
        ),
    )


def text_tokens(side: Side) -> npt.NDArray[np.int64]:
    """Tokens of each row that stand for text (int64): without control pieces, such as language tags."""
    return side.count(*_TEXT_KINDS)


def shares(counts: dict[str, int]) -> tuple[Share, ...]:
    """The parts of a whole, the largest first; beyond the first few they are one."""
    whole = sum(counts.values())
    ordered = sorted((-count, name) for name, count in counts.items() if count)
    parts = [Share(name, -negative / whole) for negative, name in ordered]
    first, rest = parts[:_MOST_SHARES], parts[_MOST_SHARES:]
    if len(rest) > 1:
        rest = [Share(f"{len(rest)} others", sum(share.part for share in rest))]
    return (*first, *rest)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
