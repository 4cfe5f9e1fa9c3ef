"""Rules about what repeats itself inside a side: characters, strings in a row, words, and n-grams of words."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.text.column import Bools, Floats, Ints, TextColumn, share
from seq2seq_core.text.piecewise import find, stretches
from seq2seq_core.text.rules.base import Measure, Rows, Rule, Side, SideRule, SuspectRule, above


class RepeatedCharactersRule(SideRule):
    """Of the characters of each side, few stand in runs of one character (`-----`, `!!!!!!`, `noooooo`).

    Digits and white space make no run. The limit is Gopher's for the most frequent 2-gram: no source gives one for
    characters.
    """

    maximum: float = Field(0.2, ge=0, le=1, description="share of the visible characters in such runs, at most")
    run: int = Field(4, ge=2, le=100, description="shortest run that counts, in characters")

    def value(self, side: Side) -> Floats:
        texts = side.texts
        in_runs = np.zeros(len(texts), np.int64)
        for begins, sizes in (self._ascii_runs(texts), self._wide_runs(texts)):
            counts = ~(texts.spaces[begins] | texts.digits[begins])
            np.add.at(in_runs, texts.rows_of(begins[counts]), sizes[counts])
        return share(in_runs, texts.visible)

    def _ascii_runs(self, texts: TextColumn) -> tuple[Ints, Ints]:
        """Where each run begins, and its characters."""
        windows = _equal_windows(texts.data, self.run)
        windows = windows[texts.data[windows] < 0x80]
        return _joined(windows[_within_rows(windows, self.run, texts.offsets)], self.run)

    def _wide_runs(self, texts: TextColumn) -> tuple[Ints, Ints]:
        positions, points = texts.wide_at, texts.wide_points
        windows = _equal_windows(points, self.run)
        distance = texts.wide_sizes[windows] * (self.run - 1)
        stands_close = positions[windows + self.run - 1] - positions[windows] == distance
        windows = windows[stands_close & _within_rows(windows, self.run, texts.wide_offsets)]
        begins, sizes = _joined(windows, self.run)
        return positions[begins], sizes

    def fails(self, value: Floats) -> Bools:
        return above(value, self.maximum)

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g} in runs of {self.run} or more"


def _equal_windows(values: npt.NDArray[Any], size: int) -> Ints:
    """Where `size` equal values in a row begin."""
    return find(values, lambda piece: stretches(piece[1:] == piece[:-1], size - 1), beyond=size - 1)


def _within_rows(windows: Ints, size: int, offsets: Ints) -> Bools:
    """Which windows of that size end in the row they begin in."""
    rows = np.searchsorted(offsets, windows, side="right")
    within: Bools = windows + size <= offsets[rows]
    return within


def _joined(windows: Ints, size: int) -> tuple[Ints, Ints]:
    """Windows that overlap the next one as the runs they are part of: where each begins, and its length."""
    first = np.flatnonzero(np.diff(windows, prepend=-2) != 1)
    return windows[first], np.diff(first, append=len(windows)) + size - 1


def _runs(same: Bools, shortest: int) -> tuple[Ints, Ints]:
    """Runs of so many equal things: where each begins, and how many they are."""
    edges = np.flatnonzero(np.diff(same, prepend=False, append=False))
    begins, sizes = edges[::2], edges[1::2] - edges[::2] + 1
    return begins[sizes >= shortest], sizes[sizes >= shortest]


class RepetitionRule(SuspectRule):
    """No string stands too often in a row (`ha ha ha ha`, a loop in the output of a model).

    Strings of 3 to 100 characters, at most twice after the first time: the limits of OpusFilter. The last one may
    lack its space.
    """

    maximum: int = Field(2, ge=1, description="times a string may stand again right after itself")
    minimum_length: int = Field(3, ge=1, description="shortest string, in characters")
    maximum_length: int = Field(100, ge=1, description="longest string, in characters")

    @pydantic.model_validator(mode="after")
    def _lengths_in_order(self) -> Self:
        if self.minimum_length > self.maximum_length:
            raise ValueError(f"minimum_length {self.minimum_length} is above maximum_length {self.maximum_length}")
        return self

    def suspects(self, texts: TextColumn) -> Bools:
        """Rows that may repeat a string often enough.

        Repeating means that characters equal those one length of the string later, for `run` characters on end. Two
        places at a distance of `stride` then lie in that run, wherever it begins: only every stride-th place needs a
        look, and where both agree, the three after the first do too.
        """
        points, offsets = texts.points
        found = np.zeros(len(texts), np.bool_)
        longest = int(np.diff(offsets).max(initial=0)) + 1
        for period in range(self.minimum_length, min(self.maximum_length, longest // (self.maximum + 2)) + 1):
            run = (self.maximum + 1) * period - 1  # the space that the last one may lack does not stand there
            stride = max(1, run // 2)
            equal = points[:-period:stride] == points[period::stride]
            hits = np.flatnonzero(equal[1:] & equal[:-1] if run > 1 else equal) * stride
            for step in range(1, min(stride, 4)):
                hits = hits[points[hits + step] == points[hits + step + period]]
            found[np.searchsorted(offsets, hits, side="right") - 1] = True
        return found

    def exact_value(self, texts: TextColumn) -> Ints:
        """The most repeats of a string in each row."""
        points, offsets = texts.points
        points = np.insert(points, offsets[1:], points.dtype.type(0x20))  # which the last string may lack
        lengths = np.diff(offsets) + 1
        rows = np.repeat(np.arange(len(texts)), lengths)
        repeats = np.zeros(len(texts), np.int64)
        longest = int(lengths.max(initial=0))
        for period in range(self.minimum_length, min(self.maximum_length, longest // 2) + 1):
            same = (points[period:] == points[:-period]) & (rows[period:] == rows[:-period])
            begins, sizes = _runs(same, period + 1)
            np.maximum.at(repeats, rows[begins], (sizes - 1) // period)
        return repeats

    def fails(self, value: npt.NDArray[np.int64]) -> Bools:
        result: Bools = value > self.maximum
        return result

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum} repeats of {self.minimum_length} to {self.maximum_length} characters"


class RepeatedWordsRule(SideRule):
    """Of the words of each side, enough are said for the first time.

    The limit is our own: no side of Multi30k's 29,000 pairs reaches it, and text of some hundred words repeats about
    half of them. (RedPajama measures the share of unique words of documents, and leaves the limit to its user.)
    """

    costly: ClassVar[bool] = True

    maximum: float = Field(0.7, ge=0, le=1, description="share of words that stood in the row before, at most")
    minimum_words: int = Field(10, ge=1, description="shorter sides pass")

    def value(self, side: Side) -> Floats:
        value = np.zeros(len(side.texts))
        words = _Words.of(side.texts, self.minimum_words)
        if len(words.ids):
            distinct = np.unique(words.rows * (words.ids.max() + 1) + words.ids) // (words.ids.max() + 1)
            total = np.bincount(words.rows, minlength=len(value))
            value = share(total - np.bincount(distinct, minlength=len(value)), total)
        return value

    def fails(self, value: Floats) -> Bools:
        return above(value, self.maximum)

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g} from {self.minimum_words} words on"


class RepeatedNgramsRule(Rule):
    """No n-gram of words makes up too much of a side, if it stands there twice or more often.

    Shares of characters in the most frequent 2-, 3- and 4-gram, at most 0.20, 0.18 and 0.16: Gopher's limits
    (Rae et al. 2021, table A1), meant for documents, so that short sides pass.
    """

    costly: ClassVar[bool] = True

    top_2: float = Field(0.2, ge=0, le=1, description="share of characters in the 2-gram with the most, at most")
    top_3: float = Field(0.18, ge=0, le=1, description="share of characters in the 3-gram with the most, at most")
    top_4: float = Field(0.16, ge=0, le=1, description="share of characters in the 4-gram with the most, at most")
    minimum_words: int = Field(30, ge=4, description="shorter sides pass")

    def measure(self, rows: Rows) -> Measure:
        failed = np.zeros(len(rows), np.bool_)
        values: dict[str, Floats] = {}
        for side in rows.each():
            words = _Words.of(side.texts, self.minimum_words)
            for n, maximum in ((2, self.top_2), (3, self.top_3), (4, self.top_4)):
                found = words.top_share(n, side.texts)
                failed |= above(found, maximum)
                values[f"{side.name} {n}-grams"] = found
        return Measure(pa.array(failed), values)

    @property
    def threshold(self) -> str:
        limits = f"{self.top_2:g}, {self.top_3:g}, {self.top_4:g}"
        return f"at most {limits} of the characters in a 2-, 3-, 4-gram, from {self.minimum_words} words on"


class _Words(NamedTuple):
    """The words of all long rows on end: the row of each, a number for its text, its characters (int64)."""

    rows: Ints
    ids: Ints
    characters: Ints

    @staticmethod
    def of(texts: TextColumn, minimum_words: int) -> _Words:
        long = np.flatnonzero(texts.words >= minimum_words)
        column = pc.utf8_trim_whitespace(texts.column.take(pa.array(long)))
        split = pc.utf8_split_whitespace(column)
        words = split.flatten().dictionary_encode()
        ids = words.indices.to_numpy().astype(np.int64)
        characters = pc.utf8_length(words.dictionary).to_numpy().astype(np.int64)
        return _Words(np.repeat(long, pc.list_value_length(split).to_numpy()), ids, characters[ids])

    def top_share(self, n: int, texts: TextColumn) -> Floats:
        """Of the characters of each row's words and the spaces in them, those in the n-gram with the most."""
        most = np.zeros(len(texts), np.int64)
        if len(self.ids) >= n:
            grams, characters = self._grams(n)
            rows = self.rows[: len(grams)]
            inside = rows == self.rows[n - 1 :]
            rows, grams, characters = rows[inside], grams[inside], characters[inside]
            _, first, counts = np.unique(
                rows * (grams.max(initial=0) + 1) + grams, return_index=True, return_counts=True
            )
            again = counts > 1
            np.maximum.at(most, rows[first[again]], (counts * characters[first])[again])
        return np.minimum(share(most, texts.characters), 1.0)

    def _grams(self, n: int) -> tuple[Ints, Ints]:
        """A number for the n-gram that begins at each word, and its characters with the spaces between."""
        grams, characters = self.ids, self.characters
        for i in range(1, n):
            following = self.ids[i:]
            grams = grams[: len(following)] * (self.ids.max() + 1) + following
            grams = np.unique(grams, return_inverse=True)[1]
            characters = characters[: len(following)] + self.characters[i:] + 1
        return grams, characters
