"""Texts in, model-sized segments and the gaps between them out; joining segments and gaps gives the text back."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from seq2seq_core.config import Config
from seq2seq_core.text.gaps import fit_gap, is_inside_word
from seq2seq_core.text.languages import close_codes, is_language
from seq2seq_core.text.marks import MARKS, SOFT_BREAK
from seq2seq_core.text.sentences import split_sentences

Count = Callable[[Sequence[str]], Sequence[int]]
"""The number of pieces of each text."""

_MAX_SEGMENT_PIECES = 250
_USUAL_LANGUAGE = "en"
_CLAUSE_ENDS = "\uff0c\u3001\uff1b\uff1a"  # the commas, semicolon and colon of Chinese and Japanese
_WORD = re.compile(rf"\s+|[^\s{_CLAUSE_ENDS}]+[{_CLAUSE_ENDS}\u300d\u300f\u201d\u2019\uff09]*\s*|[{_CLAUSE_ENDS}]+\s*")
"""Words with the space behind them; where there is no space, clauses."""


class SegmentConfig(Config):
    """How texts are cut. Nothing but `\\n` ends a line, and but for mode whole a segment never crosses a line end."""

    mode: Literal["auto", "line", "document", "whole"] = Field(
        "auto",
        description="line: a line is a segment, cut only where it is too long; document: a sentence is a segment; "
        "whole: a text is a segment, cut into as few parts as it takes, of about the same length; "
        "auto: document for formats whose texts are paragraphs, else line",
    )
    parts: Literal["join", "combine", "first"] = Field(
        "join",
        description="what becomes of the parts of a text (mode whole); join: the outputs stand one behind the other; "
        "combine: joined, they go through the model again, until one part holds them; first: the first alone is read",
    )
    max_segment_pieces: int | None = Field(
        None,
        ge=1,
        le=1 << 31,
        description="longest segment in source pieces, longer ones are cut at sentences, words, characters; "
        "default: the longest the model was trained on (250 where that is not known)",
    )
    language: str | None = Field(
        None, description="language of the texts (ISO 639), for the ends of sentences; default: the model's, or else en"
    )

    markup: Literal["numbers", "apart"] = Field(
        "numbers",
        description="tags, code and placeholders inside a sentence; numbers: the model sees [1], [2], and where it "
        "loses one the sentence is translated in parts; apart: always in parts",
    )
    copy_wordless: bool = Field(
        True,
        description="copy segments without words (numbers, URLs, mail addresses, code) instead of translating them",
    )

    @model_validator(mode="after")
    def _has_parts(self) -> Self:
        if self.parts != "join" and self.mode != "whole":
            raise ValueError(f"parts is {self.parts}, but mode is {self.mode}: only mode whole has parts")
        return self

    def identity(self) -> dict[str, Any]:
        """The keys that shape an output, as plain values."""
        return self.model_dump(mode="json", exclude=set() if self.mode == "whole" else {"parts"})

    def fitting(self, *, is_prose: bool) -> Self:
        """The same for paragraphs or for segments, where it is not said which they are."""
        return self if self.mode != "auto" else self.model_copy(update={"mode": "document" if is_prose else "line"})

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str | None) -> str | None:
        if language is not None and not is_language(language):
            close = ", ".join(close_codes(language))
            meant = f"; did you mean {close}?" if close else ""
            raise ValueError(f"no language of ISO 639 has the code {language!r}{meant} (codes are like en, deu, pt-BR)")
        return language


@dataclass(frozen=True)
class Segmented:
    """A text taken apart: gap, segment, gap, segment, ..., gap; one gap more than segments.

    Attributes:
        segments: What is to be translated, without white space at either end, never empty.
        gaps: The white space between (line ends and blank lines too), as it was.
        inside: The places of those gaps that are cuts inside a word.
        is_cut: Whether a sentence was too long for one segment.
    """

    segments: tuple[str, ...]
    gaps: tuple[str, ...]
    inside: frozenset[int] = frozenset()
    is_cut: bool = False

    @property
    def beginning(self) -> Self:
        """The first segment alone, which counts as cut where there are others."""
        if len(self.segments) < 2:
            return self
        return replace(self, segments=self.segments[:1], gaps=(self.gaps[0], self.gaps[-1]), is_cut=True)

    def join(self, outputs: Sequence[str], spaced: bool | None = None, sources: Sequence[str] | None = None) -> str:
        """The text with an output in the place of each segment, and gaps that fit the outputs.

        A gap between two outputs that are what their segments were, and one inside a word, stays as it is; for others
        see `fit_gap`. An output that is empty has no gaps of its own: those before and behind it are one.

        Args:
            outputs: One a segment.
            spaced: Whether the language of the outputs uses spaces; None where that is not known.
            sources: What the outputs were made of, one a segment; the segments themselves unless given.
        """
        same = [output == source for output, source in zip(outputs, sources or self.segments, strict=True)]
        parts: list[str] = []
        gap, last = self.gaps[0], -1
        for place, (output, following) in enumerate(zip(outputs, self.gaps[1:], strict=True)):
            if not output:
                gap += following
                continue
            if (
                last >= 0
                and not (same[last] and same[place])
                and not self.inside.issuperset(range(last + 1, place + 1))
            ):
                gap = fit_gap(gap, outputs[last], output, spaced)
            parts += (gap, output)
            gap, last = following, place
        return "".join((*parts, gap))


def segment(texts: Sequence[str], config: SegmentConfig, count: Count) -> list[Segmented]:
    """Cut many texts; pieces are counted for all of them together.

    A segment over `max_segment_pieces` is cut into sentences, and these are packed together again up to the limit;
    a sentence over the limit likewise into words, and a word is halved until it fits or is one character.

    Args:
        texts: Any texts that can be written as UTF-8.
        config: How to cut.
        count: Counts the pieces of texts, which come without white space at the ends.
    """
    limit = config.max_segment_pieces or _MAX_SEGMENT_PIECES

    def sentences(chunk: str) -> list[str]:
        language = config.language or _USUAL_LANGUAGE
        return [sentence for line in _lines(chunk) if line for sentence in _sentences(line, language)]

    # Chunks partition their text: white space belongs to them until the very end.
    is_whole = config.mode == "whole"
    chunks = [[text] if is_whole else _lines(text) for text in texts]
    if config.mode == "document":
        chunks = [[sentence for line in lines for sentence in sentences(line)] for lines in chunks]
    lengths = _Lengths(count)
    whole = _shorten(chunks, sentences, lengths, limit, _pack_evenly if is_whole else _pack)
    words = chunks = _shorten(whole, _WORD.findall, lengths, limit, _pack)
    while (halved := _shorten(chunks, _halves, lengths, limit)) != chunks:
        chunks = halved
    return [_strip(*row) for row in zip(texts, chunks, words, whole, strict=True)]


def _sentences(chunk: str, language: str) -> list[str]:
    """The sentences of a chunk, found as if it had no marks and no soft breaks; they partition it."""
    shown = MARKS.sub("", chunk.replace(SOFT_BREAK, " "))
    found = split_sentences(shown, language)
    if shown == chunk or len(found) < 2:
        return found if shown == chunk else [chunk]
    ends = itertools.accumulate(map(len, found[:-1]))
    places = [place for place, sign in enumerate(chunk) if not MARKS.match(sign)]
    cuts = [0, *(places[end - 1] + 1 for end in ends), len(chunk)]
    return [chunk[start:end] for start, end in itertools.pairwise(cuts)]


class _Lengths:
    """Remembered lengths in pieces of chunks without their outer white space."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._known: dict[str, int] = {"": 0}

    def learn(self, chunks: Iterable[str]) -> None:
        """Count what is not known yet, in one call."""
        unknown = [core for core in dict.fromkeys(map(str.strip, chunks)) if core not in self._known]
        if unknown:
            self._known.update(zip(unknown, self._count(unknown), strict=True))

    def __getitem__(self, chunk: str) -> int:
        return self._known[chunk.strip()]


def _shorten(
    chunks: list[list[str]],
    split: Callable[[str], list[str]],
    lengths: _Lengths,
    limit: int,
    pack: Callable[[list[str], _Lengths, int], list[str]] | None = None,
) -> list[list[str]]:
    """The chunks with those over the limit split, and their parts packed together up to the limit."""
    lengths.learn(chunk for row in chunks for chunk in row)
    parts = {chunk: split(chunk) for row in chunks for chunk in row if lengths[chunk] > limit}
    if pack is not None:
        lengths.learn(part for row in parts.values() for part in row)
        parts = {chunk: pack(row, lengths, limit) for chunk, row in parts.items()}
    return [[part for chunk in row for part in parts.get(chunk, (chunk,))] for row in chunks] if parts else chunks


def _pack(parts: list[str], lengths: _Lengths, limit: int) -> list[str]:
    """Neighbours put together, from the left, while the sum of their pieces keeps the limit."""
    packed: list[list[str]] = []
    room = -1
    for part in parts:
        room -= lengths[part]
        if room < 0:
            packed.append([])
            room = limit - lengths[part]
        packed[-1].append(part)
    return ["".join(row) for row in packed]


def _pack_evenly(parts: list[str], lengths: _Lengths, limit: int) -> list[str]:
    """As few as `_pack` makes, the longest of them as short as can be: a last one of some words says nothing."""
    fewest = len(_pack(parts, lengths, limit))
    limits = range(1, limit + 1)
    least = bisect.bisect_left(limits, True, key=lambda most: len(_pack(parts, lengths, most)) <= fewest)
    return _pack(parts, lengths, limits[least])


def _lines(text: str) -> list[str]:
    *whole, last = text.split("\n")
    return [*(line + "\n" for line in whole), last]


def _halves(chunk: str) -> list[str]:
    core = chunk.strip()
    if len(core) < 2:
        return [chunk]
    middle = chunk.index(core) + len(core) // 2
    return [chunk[:middle], chunk[middle:]]


def _strip(text: str, chunks: list[str], words: list[str], whole: list[str]) -> Segmented:
    """Move the outer white space of every chunk into the gaps.

    Args:
        text: What was cut.
        chunks: Its parts.
        words: The parts before words were cut.
        whole: The parts before sentences were.
    """
    segments: list[str] = []
    gaps: list[str] = []
    start = end = 0
    for chunk in chunks:
        core = chunk.strip()
        if core:
            first = start + chunk.index(core)
            segments.append(core)
            gaps.append(text[end:first])
            end = first + len(core)
        start += len(chunk)
    inside = frozenset[int]() if chunks == words else _inside_words(gaps, segments, words)
    return Segmented(tuple(segments), (*gaps, text[end:]), inside, is_cut=words != whole or chunks != words)


def _inside_words(gaps: list[str], segments: list[str], words: list[str]) -> frozenset[int]:
    """The places of the gaps that part a word."""
    borders = set(itertools.accumulate(map(len, words)))
    ends = itertools.accumulate(len(gap) + len(part) for gap, part in zip(gaps, segments, strict=True))
    return frozenset(
        place
        for place, (end, gap, (left, right)) in enumerate(
            zip(ends, gaps[1:], itertools.pairwise(segments), strict=False), 1
        )
        if not gap and end not in borders and is_inside_word(left[-1], right[0])
    )
