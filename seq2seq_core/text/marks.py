"""A text with signs for what is no text in it, the form a model reads out; and its output with the signs again.

A *mark* is a character that stands for markup inside a sentence (a tag, code, a placeholder); a *soft break* one for a
line end that means no more than a space. Both are private to this program: a document's own characters of these kinds
are marked themselves. A model reads a mark as a number in brackets, which many models copy.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

_FIRST, _LAST = 0xE000, 0xF8FF
MOST_MARKS = _LAST - _FIRST + 1
MARKS = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
SOFT_BREAK = "\x0b"
"""White space, so that it is never part of the end of a sentence."""

EDGE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}\\s]*")
_SPACED_MARK = re.compile(f"(\\s?)([{chr(_FIRST)}-{chr(_LAST)}])(\\s?)")
_NUMBER = re.compile(r"\s*\[\s*([0-9]{1,5})\s*\]\s*")


def mark(number: int) -> str:
    """The mark of a number below `MOST_MARKS`."""
    return chr(_FIRST + number)


def has_marks(text: str) -> bool:
    """Whether there is a mark in a text."""
    return MARKS.search(text) is not None


def keeps_marks(source: str, output: str) -> bool:
    """Whether an output has the marks of its source, each of them once and in the same order."""
    return MARKS.findall(source) == MARKS.findall(output)


def filled(text: str, tags: Sequence[str], line_end: str, spell: Callable[[str], str] = str) -> str:
    """A text with what its marks stand for in their places, what stands between them as it is spelled there."""
    parts: list[str] = []
    end = 0
    for found in MARKS.finditer(text):
        parts += (spell(text[end : found.start()]), tags[ord(found[0]) - _FIRST])
        end = found.end()
    return "".join((*parts, spell(text[end:]))).replace(SOFT_BREAK, line_end)


def numbered(text: str) -> str:
    """What a model reads of a text: numbers that are not in it already for its marks, spaces for soft breaks."""
    text = text.replace(SOFT_BREAK, " ")
    if not has_marks(text):
        return text
    numbers = itertools.count(_first_number(text))
    return _SPACED_MARK.sub(lambda _: f" [{next(numbers)}] ", text).strip()


def restored(output: str, source: str) -> str | None:
    """An output with the marks of its source for their numbers; None where one is missing, twice, or out of order.

    White space beside a mark is that of the source. An output that says what a model has read is the source, with the
    line ends in it.
    """
    if not has_marks(source) and SOFT_BREAK not in source:
        return output
    if output.split() == numbered(source).split():
        return source
    if not has_marks(source):
        return output
    first = _first_number(source)
    around = [(found[1], found[2], found[3]) for found in _SPACED_MARK.finditer(source)]
    numbers = range(first, first + len(around))
    places = [found for found in _NUMBER.finditer(output) if int(found[1]) in numbers]
    if [int(found[1]) for found in places] != [*numbers]:
        return None
    parts: list[str] = []
    end = 0
    for place, (before, sign, behind) in zip(places, around, strict=True):
        parts += (output[end : place.start()], before, sign, behind)
        end = place.end()
    return "".join((*parts, output[end:])).strip()


def can_be_read(there_and_back: Callable[[str], str]) -> bool:
    """Whether what reads and writes texts can spell a number in brackets."""
    found = _NUMBER.search(there_and_back(" [1] "))
    return found is not None and found[1] == "1"


def _first_number(text: str) -> int:
    """One above all numbers in brackets that stand in a text by themselves."""
    return max((int(found[1]) for found in _NUMBER.finditer(text)), default=0) + 1
