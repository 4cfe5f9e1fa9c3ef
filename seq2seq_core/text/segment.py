"""Texts in, model-sized segments and the gaps between them out; joining segments and gaps gives the text back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import sentencex  # type: ignore[import-untyped]
from pydantic import Field

from seq2seq_core.config import Config

Count = Callable[[Sequence[str]], Sequence[int]]
"""The number of pieces of each text."""

_MAX_SEGMENT_PIECES = 250
_WORD = re.compile(r"\s+|\S+\s*")


class SegmentConfig(Config):
    """How texts are cut. Nothing but `\\n` ends a line, and a segment never crosses a line end."""

    mode: Literal["line", "document"] = Field(
        "line",
        description="line: a line is a segment, cut only where it is too long; document: a sentence is a segment",
    )
    max_segment_pieces: int | None = Field(
        None,
        ge=1,
        le=1 << 31,
        description="longest segment in source pieces, longer ones are cut at sentences, words, characters; "
        "default: the longest the model was trained on (250 where that is not known)",
    )
    language: str = Field("en", description="language of the texts (ISO 639), for the ends of sentences")


@dataclass(frozen=True)
class Segmented:
    """A text taken apart: gap, segment, gap, segment, ..., gap; one gap more than segments.

    Attributes:
        segments: What is to be translated, without white space at either end, never empty.
        gaps: The white space between (line ends and blank lines too), kept as it was.
    """

    segments: tuple[str, ...]
    gaps: tuple[str, ...]

    def join(self, outputs: Sequence[str]) -> str:
        """The text with an output in the place of each segment."""
        return "".join(part for pair in zip(self.gaps, (*outputs, ""), strict=True) for part in pair)


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
        return _sentences(chunk, config.language)

    # Chunks partition their text: white space belongs to them until the very end.
    chunks = [_lines(text) for text in texts]
    if config.mode == "document":
        chunks = [[sentence for line in lines for sentence in sentences(line)] for lines in chunks]
    lengths = _Lengths(count)
    for split in (sentences, _WORD.findall):
        chunks = _shorten(chunks, split, lengths, limit)
    while (halved := _shorten(chunks, _halves, lengths, limit, pack=False)) != chunks:
        chunks = halved
    return [_strip(text, row) for text, row in zip(texts, chunks, strict=True)]


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
    chunks: list[list[str]], split: Callable[[str], list[str]], lengths: _Lengths, limit: int, *, pack: bool = True
) -> list[list[str]]:
    """The chunks with those over the limit split, and their parts packed together up to the limit."""
    lengths.learn(chunk for row in chunks for chunk in row)
    parts = {chunk: split(chunk) for row in chunks for chunk in row if lengths[chunk] > limit}
    if pack:
        lengths.learn(part for row in parts.values() for part in row)
        parts = {chunk: _pack(row, lengths, limit) for chunk, row in parts.items()}
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


def _lines(text: str) -> list[str]:
    *whole, last = text.split("\n")
    return [*(line + "\n" for line in whole), last]


def _sentences(line: str, language: str) -> list[str]:
    """The sentences of one line with the space behind them; the line itself should the splitter lose anything."""
    found: list[str] = sentencex.segment(language, line)
    return found if "".join(found) == line else [line]


def _halves(chunk: str) -> list[str]:
    core = chunk.strip()
    if len(core) < 2:
        return [chunk]
    middle = chunk.index(core) + len(core) // 2
    return [chunk[:middle], chunk[middle:]]


def _strip(text: str, chunks: list[str]) -> Segmented:
    """Move the outer white space of every chunk into the gaps."""
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
    return Segmented(tuple(segments), (*gaps, text[end:]))
