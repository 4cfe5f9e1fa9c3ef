"""Segments in, cues out: pieces of text that can be read at a glance, with times, as subtitles are made of."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seq2seq_core.engines.recognition import Word
from seq2seq_core.inference.transcripts.terms import Segment, Spoken

LINE_CHARACTERS, LINES, CUE_SECONDS = 42, 2, 7.0
_MOST_CHARACTERS = LINE_CHARACTERS * LINES
_SENTENCE_ENDS = ".!?\u2026\u3002\uff01\uff1f"


class Cue(NamedTuple):
    """Lines of text from begin to end, in seconds."""

    begin: float
    end: float
    lines: tuple[str, ...]


def cues_of(recordings: Sequence[Spoken]) -> Iterator[Cue]:
    """The cues of recordings, in order; a segment is one or several."""
    for recording in recordings:
        for segment in recording.segments:
            yield from _cues(segment)


def _cues(segment: Segment) -> Iterator[Cue]:
    if not segment.words:
        yield from _cue(segment.begin, segment.end, segment.text)
        return
    held: list[Word] = []
    for word in segment.words:
        if held and _is_full(held, word, segment.glue):
            yield from _of_words(held, segment.glue)
            held = []
        held.append(word)
    yield from _of_words(held, segment.glue)


def _is_full(held: list[Word], word: Word, glue: str) -> bool:
    """Whether a word no longer fits behind others, or begins a sentence where half a cue is full."""
    length = len(glue.join(each.text for each in (*held, word)))
    if length > _MOST_CHARACTERS or word.end - held[0].begin > CUE_SECONDS:
        return True
    return length > LINE_CHARACTERS and held[-1].text[-1:] in _SENTENCE_ENDS


def _of_words(words: list[Word], glue: str) -> Iterator[Cue]:
    yield from _cue(words[0].begin, words[-1].end, glue.join(word.text for word in words))


def _cue(begin: float, end: float, text: str) -> Iterator[Cue]:
    lines = textwrap.wrap(text, LINE_CHARACTERS, break_on_hyphens=False)
    if lines:
        yield Cue(begin, end, tuple(lines))


def clock(seconds: float, comma: str) -> str:
    """Hours, minutes, seconds and thousandths, as subtitles write them: 01:02:03,456."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{thousandths // 1000:02d}{comma}{thousandths % 1000:03d}"
