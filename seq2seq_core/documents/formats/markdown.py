"""A file of Markdown in, its texts out: paragraphs, headings, cells of tables, with inline markup as marks.

CommonMark, tables and strike-through are read by markdown-it-py. Code, HTML, the targets of links and front matter stay
as they are. An answer is written as plainly as it reads back, with escapes where it would not.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.markdown_inline import Found, Inline, References
from seq2seq_core.documents.structured.slots import Gatherer, Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded
from seq2seq_core.text.marks import MARKS, filled

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\ufeff?(---|\+\+\+)[ \t]*\r?\n(?s:.*?)^(?:\1|\.\.\.)[ \t]*$", re.MULTILINE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_DEFINITION = re.compile(r":[ \t]+")
_HEADING, _CELL = "heading", "cell"
_SPECIAL = re.compile(r"[\\`*_\[\]<>~&|]|(?<![^\x0b])[#+=:-]|#(?=$|\x0b)")
_NUMBERED = re.compile(r"(?<![^\x0b])([0-9]{1,9})([.)])(?=\s|$)")
_SPACE = re.compile(r"\s+")


class MarkdownFormat(WholeFormat):
    """A file of Markdown."""

    called = "Markdown"
    suffixes = (".md", ".markdown")

    def open(self, data: bytes, handling: Handling) -> Document:
        del handling
        raw = decoded(data)
        page = _Page(Inline(), {})
        return TextDocument(raw, page.slots(raw), page.spell)


@dataclass
class _Page:
    """What is known of a page: its references (`[name]: target`) tell what is a link."""

    inline: Inline
    references: References

    def slots(self, raw: str) -> list[Slot]:
        """The texts of a page, or of a part of one."""
        front = _FRONT_MATTER.match(raw)
        begin = front.end() if front else 0
        lines = _Lines(raw, begin)
        gatherer = Gatherer(raw)
        for block in _blocks(self.inline.blocks(raw[begin:], self.references)):
            places = lines.places(block)
            if places is not None:
                self._gather(gatherer, block, places)
        return gatherer.slots

    def spell(self, slot: Slot, answer: str) -> str:
        """An answer in the place of a slot; escapes stand in it where it would not be read as what it is."""
        if self._reads_back(slot, answer):
            return slot.spelled(answer, _PLAIN[slot.kind])
        return slot.spelled(answer, _escaped)

    def _reads_back(self, slot: Slot, answer: str) -> bool:
        """Whether an answer without escapes is one text of the same letters and no more markup."""
        tags = [_LINE_END.sub(" ", tag) for tag in slot.tags]
        before, behind = (_LINE_END.sub(" ", outside) for outside in slot.outside)
        marker = "# " if slot.kind == _HEADING else ""
        found = self.slots(marker + before + filled(answer, tags, "\n") + behind)
        read = "".join(one.text for one in found)
        same_marks = sum(len(one.tags) for one in found) <= len(slot.tags)
        return len(found) == 1 and same_marks and _letters(read) == _letters(answer)

    def _gather(self, gatherer: Gatherer, block: _Block, places: Sequence[int]) -> None:
        """A text in pieces; where a line ends by itself, or what follows is a definition, it is two."""
        end = 0
        for found in self.inline.found(block.content, self.references):
            if end < found.start:
                gatherer.text(places[end], places[found.start - 1] + 1)
            end = _gather_found(gatherer, block, found, places)
        if end < len(block.content):
            gatherer.text(places[end], places[-2] + 1)
        gatherer.close(block.kind)


@dataclass(frozen=True)
class _Block:
    """A text in the lines `first` to `last - 1`; of a table `cell` is the number of the column."""

    content: str
    first: int
    last: int
    kind: str = ""
    cell: int = 0


def _cell_text(part: str) -> str:
    return part.replace("|", r"\|")


def _escaped(part: str) -> str:
    return _NUMBERED.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", part))


_PLAIN: dict[str, Callable[[str], str]] = {
    "": lambda part: _NUMBERED.sub(r"\1\\\2", part),  # whether it begins a list depends on what stands around it
    _HEADING: str,
    _CELL: _cell_text,
}


def _letters(text: str) -> str:
    return _SPACE.sub("", MARKS.sub("", text))


def _gather_found(gatherer: Gatherer, block: _Block, found: Found, places: Sequence[int]) -> int:
    """What the parser has found in a text; where the text goes on."""
    start, end = places[found.start], places[found.end - 1] + 1
    if found.is_line_end:
        end = places[found.end]
        definition = _DEFINITION.match(block.content, found.end)
        if found.is_hard or definition is not None:
            gatherer.close(block.kind)
        else:
            gatherer.line_end(start, end)
        if definition is not None:
            gatherer.tag(places[definition.start()], places[definition.end() - 1] + 1)
            return definition.end()
    elif found.shown is None:
        gatherer.tag(start, end)
    else:
        gatherer.spelled(start, end, found.shown)
    return found.end


def _blocks(tokens: Sequence[Token]) -> Iterator[_Block]:
    """The texts among the tokens of blocks."""
    cell = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "tr_open":
            cell = 0
        if token.type != "inline":
            continue
        is_cell = before is not None and before.type in ("th_open", "td_open")
        is_heading = before is not None and before.type == "heading_open" and before.markup.startswith("#")
        kind = _CELL if is_cell else _HEADING if is_heading else ""
        first, last = token.map or (0, 0)
        yield _Block(token.content, first, last, kind, cell)
        cell += is_cell


@dataclass
class _Lines:
    """The lines of a page, from where its text begins."""

    raw: str
    begin: int
    _spans: list[tuple[int, int]] = field(init=False)
    _row: tuple[int, int] = (-1, 0)

    def __post_init__(self) -> None:
        ends = [found.span() for found in _LINE_END.finditer(self.raw, self.begin)]
        starts = [self.begin, *(end for _, end in ends)]
        self._spans = list(zip(starts, [*(start for start, _ in ends), len(self.raw)], strict=True))

    def places(self, block: _Block) -> list[int] | None:
        """Where each character of a text stands in the page, and the end; None where that cannot be told."""
        if not block.content:
            return None
        if block.kind == _CELL:
            return self._cell(block)
        places: list[int] = []
        rows = block.content.split("\n")
        for number, (row, span) in enumerate(itertools.zip_longest(rows, self._spans[block.first : block.last])):
            if row is None:
                break
            start = None if span is None else self._find(row, *span, is_heading=block.kind == _HEADING)
            if start is None:
                return None
            places += range(start, start + len(row))
            if number + 1 < len(rows):
                places.append(start + len(row))
        return [*places, places[-1] + 1] if places else None

    def _find(self, row: str, start: int, end: int, *, is_heading: bool) -> int | None:
        """Where a line of a text begins in the line it is of, which ends in it but for white space."""
        core = row.lstrip()
        if is_heading:
            marker = self.raw.find("#", start, end)
            while self.raw[marker : marker + 1] == "#":
                marker += 1
            place = self.raw.find(core, marker, end)
        else:
            place = len(self.raw[start:end].rstrip()) + start - len(core.rstrip())
        if place - (len(row) - len(core)) < start or not self.raw.startswith(core.rstrip(), place):
            return None
        return place - (len(row) - len(core))

    def _cell(self, block: _Block) -> list[int] | None:
        """Cells stand in a row one behind the other; one with an escaped bar in it is not the same in both."""
        line, cursor = self._row
        start, end = self._spans[block.first]
        if line != block.first:
            cursor = start
        elif block.cell:
            cursor = self.raw.find("|", cursor, end) + 1 or end
        place = self.raw.find(block.content, cursor, end)
        if place < 0 or "|" in block.content:
            return None
        self._row = (block.first, place + len(block.content))
        return [*range(place, place + len(block.content) + 1)]
