"""Rules about how long the sides are: empty, words, characters, tokens, their ratio, and the longest word."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.text import unicode
from seq2seq_core.text.column import Bools, Floats, Ints, TextColumn
from seq2seq_core.text.piecewise import find, stretches
from seq2seq_core.text.rules.base import Measure, PieceRule, Rows, Rule, Side, SideRule, SuspectRule, above


class EmptyRule(Rule):
    """Every side there is holds something other than white space."""

    def measure(self, rows: Rows) -> Measure:
        words = {side.name: side.texts.words for side in rows.each()}
        failed = np.logical_or.reduce([count == 0 for count in words.values()])
        values = {str(name): pc.if_else(pa.array(count == 0), "empty", "text") for name, count in words.items()}
        return Measure(pa.array(failed), values)

    @property
    def threshold(self) -> str:
        return "text on both sides"


class _Bounds(Config):
    """The least and the most that a side may have."""

    minimum: int = Field(1, ge=0, description="fewest a side may have")
    maximum: int = Field(1, ge=1, description="most a side may have")

    @pydantic.model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self

    @property
    def threshold(self) -> str:
        """What passes, in words."""
        return f"{self.minimum} to {self.maximum}"


class _RangeRule(_Bounds, SideRule):
    """A length of each side lies within bounds."""

    @abstractmethod
    def value(self, side: Side) -> Ints:
        """The length of each row, in the unit of the rule."""

    def fails(self, value: npt.NDArray[np.int64]) -> Bools:
        result: Bools = (value < self.minimum) | (value > self.maximum)
        return result


class WordsRule(_RangeRule):
    """The number of words of each side, as white space separates them, lies within bounds.

    150 at most is the limit of OpusCleaner's recipes; OpusFilter has 100.
    """

    maximum: int = Field(150, ge=1, description="most words a side may have")

    def value(self, side: Side) -> Ints:
        return side.texts.words


class CharactersRule(_RangeRule):
    """The number of characters of each side lies within bounds (1,024 at most: bicleaner-hardrules' limit)."""

    maximum: int = Field(1024, ge=1, description="most characters a side may have")

    def value(self, side: Side) -> Ints:
        return side.texts.characters


class TokensRule(_Bounds, PieceRule):
    """The number of pieces of each side, after encoding, lies within bounds (250: the limit of fairseq's recipes)."""

    maximum: int = Field(250, ge=1, description="most pieces a side may have")

    def measure_lengths(self, source: pa.Array | None, target: pa.Array) -> Measure:
        sides = {"source": source, "target": target}
        values = {name: lengths for name, lengths in sides.items() if lengths is not None}
        outside = [(numbers < self.minimum) | (numbers > self.maximum) for numbers in map(np.asarray, values.values())]
        return Measure(pa.array(np.logical_or.reduce(outside)), values)


class LengthRatioRule(Rule):
    """The sides are of about the same length, or of the ratio usual between their languages.

    9 at most, the limit of Moses' clean-corpus-n, where nothing is known of the languages. Chinese has 0.3 characters
    for one of English: there, give `center`, and `spread` to judge by how unusual a row is.
    """

    compares: ClassVar[bool] = True

    maximum: float = Field(9.0, ge=1.0, le=1e6, description="longer side divided by shorter side, at most")
    unit: Literal["words", "characters"] = Field("characters", description="what the sides are measured in")
    center: float | None = Field(
        None, ge=1e-6, le=1e6, description="usual target length / source length, which then counts as 1; default: 1"
    )
    spread: float | None = Field(
        None,
        ge=1e-6,
        le=1e6,
        description="usual deviation of the logarithm of that ratio; with it, `deviations` bounds it, not `maximum`",
    )
    deviations: float = Field(
        5.0, gt=0, le=1e6, description="deviations from the center, at most, where there is a spread"
    )

    def measure(self, rows: Rows) -> Measure:
        source, target = (self._length(texts) for texts in (rows.source, rows.target))
        if self.spread is None:
            scaled = target / (self.center or 1.0)
            ratio = np.maximum(source, scaled) / np.minimum(source, scaled)
            return Measure(pa.array(above(ratio, self.maximum)), {"ratio": ratio})
        ratio = target / source
        deviation = np.abs(np.log(ratio) - math.log(self.center or 1.0)) / self.spread
        values = {"target/source": ratio, "deviations": deviation}
        return Measure(pa.array(above(deviation, self.deviations)), values)

    def _length(self, texts: TextColumn) -> Floats:
        return np.maximum(texts.words if self.unit == "words" else texts.characters, 1).astype(np.float64)

    @property
    def threshold(self) -> str:
        if self.spread is not None:
            return f"at most {self.deviations:g} deviations of {self.spread:g} from {self.center or 1:g} in {self.unit}"
        center = "" if self.center is None else f" around {self.center:g}"
        return f"at most {self.maximum:g}{center} in {self.unit}"


class LongestWordRule(SuspectRule):
    """No word is too long (40 characters at most: OpusFilter's limit).

    A word is what white space separates. Characters of scripts that put no space between words (Han, kana, Thai, Lao,
    Khmer, Burmese, Tibetan) end a word as white space does.
    """

    maximum: int = Field(40, ge=1, description="most characters a word may have")

    def suspects(self, texts: TextColumn) -> Bools:
        """Rows with so many bytes without a gap, or about so many (or at the end of such, in the next row).

        A word that is too long holds a few blocks of eight bytes in a row, as memory is cut into them: one look at a
        block is one at eight bytes.
        """
        gaps = _gaps(texts)
        blocks = (self.maximum + 1 - 7) // 8
        if blocks < 1:
            return texts.has_any(find(gaps, lambda gaps: stretches(~gaps, self.maximum + 1), beyond=self.maximum))
        eights = gaps[: len(gaps) // 8 * 8].view(np.uint64)
        return texts.has_any(find(eights, lambda eights: stretches(eights == 0, blocks), beyond=blocks - 1) * 8)

    def exact_value(self, texts: TextColumn) -> Ints:
        """Characters of the longest word of each row."""
        return _longest_words(texts, _gaps(texts))

    def fails(self, value: npt.NDArray[np.int64]) -> Bools:
        result: Bools = value > self.maximum
        return result

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum} characters"


def _gaps(texts: TextColumn) -> Bools:
    """Which bytes lie between the words of `LongestWordRule`."""
    unspaced = texts.find_wide(unicode.members(unicode.UNSPACED))
    gaps = texts.spaces
    if len(unspaced):
        gaps = gaps.copy()
        texts.mark_wide(gaps, unspaced)
    return gaps


def _longest_words(texts: TextColumn, gaps: Bools) -> Ints:
    """Characters of the longest word of each row."""
    longest = np.zeros(len(texts), np.int64)
    words = ~gaps
    filled = texts.bytes > 0
    begins, ends = words.copy(), words.copy()
    begins[1:] &= gaps[:-1]
    ends[:-1] &= gaps[1:]
    first, last = texts.offsets[:-1][filled], texts.offsets[1:][filled] - 1
    begins[first], ends[last] = words[first], words[last]
    places = np.flatnonzero(begins)
    if len(places):
        rows = texts.rows_of(places)
        edges = np.flatnonzero(np.diff(rows, prepend=-1))
        characters = _characters_before(texts)
        sizes = characters[np.flatnonzero(ends) + 1] - characters[places]
        longest[rows[edges]] = np.maximum.reduceat(sizes, edges)
    return longest


def _characters_before(texts: TextColumn) -> Ints:
    """The number of characters that begin before each byte, and before the end, int64 [N + 1]."""
    totals = np.zeros(len(texts.data) + 1, np.int64)
    np.cumsum((texts.data & 0xC0) != 0x80, out=totals[1:])
    return totals
