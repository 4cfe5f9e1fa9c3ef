"""A text file in, its paragraphs out; hard-wrapped lines are one text, lines that were meant to end are several."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.slots import Gatherer, Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_ITEM = re.compile(r"\s*(?:[-*+\u2022\u2013\u2014]|\(?[0-9]{1,3}[.)]|\(?[a-z][.)])\s")


class PlainFormat(WholeFormat):
    """Paragraphs, with blank lines between them."""

    called = "a plain document"
    suffixes = (".text",)

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        raw = decoded(data)
        gatherer = Gatherer(raw)
        paragraphs = list(_paragraphs(raw))
        least = _usual_width(paragraphs) // 2
        for paragraph in paragraphs:
            _gather(gatherer, paragraph, least)
        return TextDocument(raw, gatherer.slots, _spell)


def _spell(slot: Slot, answer: str) -> str:
    return slot.spelled(answer, str)


def _paragraphs(raw: str) -> Iterator[list[re.Match[str]]]:
    """Lines between blank ones."""
    lines: list[re.Match[str]] = []
    for line in _LINE.finditer(raw):
        if line[1].strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _usual_width(paragraphs: list[list[re.Match[str]]]) -> int:
    """The length that nine of ten lines do not exceed which others of their paragraphs follow."""
    lengths = sorted(len(line[1].rstrip()) for lines in paragraphs for line in lines[:-1])
    return lengths[len(lengths) * 9 // 10] if lengths else 0


def _gather(gatherer: Gatherer, lines: list[re.Match[str]], least: int) -> None:
    """A line ends in a space where the first word of the next would have made it the longest: it was wrapped there.

    Lines of a paragraph that are all short, those of an address or a poem, were not wrapped.
    """
    width = max(least, *(len(line[1].rstrip()) for line in lines))
    start = _begin(gatherer, lines[0])
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        gatherer.text(start, line.end(1))
        if following is None:
            break
        word = following[1].split(maxsplit=1)[0]
        if len(line[1].rstrip()) + 1 + len(word) > width and not _ITEM.match(following[1]):
            start = following.end(1) - len(following[1].lstrip())
            gatherer.line_end(line.end(1), start)
        else:
            gatherer.close()
            start = _begin(gatherer, following)
    gatherer.close()


def _begin(gatherer: Gatherer, line: re.Match[str]) -> int:
    """Where the text begins of a line that begins one: what marks it as an item is none."""
    item = _ITEM.match(gatherer.raw, *line.span(1))
    if item is None:
        return line.start(1)
    gatherer.tag(*item.span())
    return item.end()
