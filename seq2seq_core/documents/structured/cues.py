"""A file of subtitles in, the texts of its cues out; and answers on as many lines as the texts had.

What the formats have in common: cues stand between blank lines, and their text behind the line that tells when.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator

from seq2seq_core.documents.structured.slots import Gatherer, Slot
from seq2seq_core.text.marks import SOFT_BREAK

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_TIMES = "-->"
_SPEAKER = re.compile(r"\s*(?:<[^>]*>)?\s*[-\u2010-\u2015]\s?(?=\S)")


def texts_of_cues(gatherer: Gatherer, markup: re.Pattern[str], gather: Callable[[Gatherer, int, int], None]) -> None:
    """Gather the text of every cue; where another one speaks, with a dash before the line, it is two.

    Args:
        gatherer: Of the file.
        markup: What is no text.
        gather: Gathers what is no markup.
    """
    for lines in _cues(gatherer.raw):
        for place, line in enumerate(lines):
            speaker, start = _SPEAKER.match(gatherer.raw, *line.span(1)), line.start(1)
            if speaker is not None:
                gatherer.close()
                gatherer.tag(*speaker.span())
                start = speaker.end()
            elif place:
                gatherer.line_end(lines[place - 1].end(1), start)
            for found in markup.finditer(gatherer.raw, start, line.end(1)):
                gather(gatherer, start, found.start())
                gatherer.tag(*found.span())
                start = found.end()
            gather(gatherer, start, line.end(1))
        gatherer.close()


def on_lines(slot: Slot, answer: str) -> str:
    """An answer on as many lines as its source, which are of about the same length where it has lost some."""
    wanted = slot.text.count(SOFT_BREAK) + 1
    if answer.count(SOFT_BREAK) + 1 == wanted:
        return answer
    text = answer.replace(SOFT_BREAK, " ")
    width = max(1, len(text) // wanted)
    while len(lines := textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)) > wanted:
        width += 1
    return SOFT_BREAK.join(lines)


def _cues(raw: str) -> Iterator[list[re.Match[str]]]:
    """The lines behind each line of times, up to a blank one."""
    lines: list[re.Match[str]] | None = None
    for line in _LINE.finditer(raw):
        if not line[1].strip():
            if lines:
                yield lines
            lines = None
        elif lines is not None:
            lines.append(line)
        elif _TIMES in line[1]:
            lines = []
    if lines:
        yield lines
