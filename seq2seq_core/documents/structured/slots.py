"""Pieces of a file in, slots out: the places where its text stands, each as a line with marks for the markup in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from seq2seq_core.text.marks import MARKS, MOST_MARKS, SOFT_BREAK, filled, keeps_marks, mark

_ADDRESS = r"""\b(?:https?|ftp)://[^\s<>"']*[^\s<>"'.,:;!?)\]}]|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"""
NO_TEXT = re.compile(f"{MARKS.pattern}|\ufeff|{_ADDRESS}")
"""What would be taken for a mark, a byte order mark, an address: no words, wherever they stand."""
PLACEHOLDERS = re.compile(
    NO_TEXT.pattern
    + r"|%(?:\([\w.]+\)|[0-9]+\$)?[-+#0]*[0-9]*(?:\.[0-9]+)?(?:hh?|ll?|[Lzjt])?[diouxXeEfFgGcrsaA@](?![A-Za-z])|%%"
    r"|\$?\{\{?[\w .:,!-]*\}?\}|</?[A-Za-z][^<>]*>"
)
"""And what programs put something in the place of, or take for markup."""


@dataclass(frozen=True)
class Slot:
    """A place of a file where text stands.

    Attributes:
        start: Where it begins in the file, in characters.
        end: Where it ends.
        text: What is to be translated: a mark for each piece of markup (see `text.marks`), a soft break for each line
            end that is no more than a space, no white space at either end.
        tags: What the marks stand for, in order.
        places: Where these stand in the file.
        line_end: What a soft break stands for.
        outside: The markup before and behind it that belongs to it.
        kind: What its format has to know to spell a text here.
        before: What stands before an answer, where the slot itself is none.
        after: What stands behind it.
    """

    start: int
    end: int
    text: str
    tags: tuple[str, ...] = ()
    places: tuple[tuple[int, int], ...] = ()
    line_end: str = "\n"
    outside: tuple[str, str] = ("", "")
    kind: str = ""
    before: str | None = None
    after: str = ""

    @property
    def is_added(self) -> bool:
        """Whether an answer is added to the file, rather than put in the place of the text."""
        return self.before is not None

    def spelled(self, answer: str, spell: Callable[[str], str]) -> str:
        """An answer as it stands in the file."""
        return (self.before or "") + filled(answer, self.tags, self.line_end, spell) + self.after


@dataclass(frozen=True)
class _Piece:
    """Some characters of the file; `shown` is the text they are, None for markup."""

    start: int
    end: int
    shown: str | None


@dataclass
class Gatherer:
    """Gathers pieces, which follow one another in the file, and makes a slot of them where a text ends."""

    raw: str
    no_text: re.Pattern[str] = NO_TEXT
    slots: list[Slot] = field(default_factory=list)
    _pieces: list[_Piece] = field(default_factory=list)

    def text(self, start: int, end: int) -> None:
        """Text that is written as it is; what is no text in it is markup."""
        for found in self.no_text.finditer(self.raw, start, end):
            self._add(start, found.start(), self.raw[start : found.start()].replace(SOFT_BREAK, " "))
            self.tag(*found.span())
            start = found.end()
        self._add(start, end, self.raw[start:end].replace(SOFT_BREAK, " "))

    def spelled(self, start: int, end: int, shown: str) -> None:
        """Text that is written otherwise than it reads, such as an entity."""
        if MARKS.search(shown):
            self.tag(start, end)
        else:
            self._add(start, end, shown.replace(SOFT_BREAK, " "))

    def tag(self, start: int, end: int) -> None:
        """Markup inside a text."""
        if start < end:
            self._pieces.append(_Piece(start, end, None))

    def hidden(self, start: int, end: int) -> None:
        """Markup without a meaning: it goes where its text gets an answer."""
        self._add(start, end, "")

    def line_end(self, start: int, end: int) -> None:
        """A line end that is no more than a space."""
        self._add(start, end, SOFT_BREAK)

    def close(self, kind: str = "") -> None:
        """Here a text ends. Without a letter it is none; markup and white space at its ends are no part of it."""
        pieces, around = _trimmed(self._pieces), self._pieces
        self._pieces = []
        if not any(character.isalpha() for piece in pieces for character in piece.shown or ""):
            return
        places: list[tuple[int, int]] = []
        texts: list[str] = []
        is_behind_tag = False
        for piece in pieces:
            if piece.shown is not None:
                texts.append(piece.shown)
            elif is_behind_tag:
                places[-1] = (places[-1][0], piece.end)
            else:
                texts.append(mark(len(places) % MOST_MARKS))
                places.append((piece.start, piece.end))
            is_behind_tag = piece.shown is None
        if len(places) <= MOST_MARKS:
            start, end, tags = pieces[0].start, pieces[-1].end, tuple(self.raw[slice(*place)] for place in places)
            line_end = next((self.raw[one.start : one.end] for one in pieces if one.shown == SOFT_BREAK), " ")
            outside = (self.raw[around[0].start : start], self.raw[end : around[-1].end])
            self.slots.append(Slot(start, end, "".join(texts), tags, tuple(places), line_end, outside, kind))

    def _add(self, start: int, end: int, shown: str) -> None:
        if start < end:
            self._pieces.append(_Piece(start, end, shown))


def marked(text: str, spell: Callable[[str], str]) -> tuple[str, tuple[str, ...]]:
    """A string of a program with marks, and what they stand for, as it is spelled."""
    tags = [spell(found[0]) for found in PLACEHOLDERS.finditer(text)]
    numbers = iter(range(len(tags)))
    return PLACEHOLDERS.sub(lambda _: mark(next(numbers)), text), tuple(tags)


@dataclass(frozen=True)
class Edit:
    """What stands between two places of a file from now on."""

    start: int
    end: int
    text: str


def edits(slots: Sequence[Slot], answers: Sequence[str | None], spell: Callable[[Slot, str], str]) -> Iterator[Edit]:
    """What answers change in a file.

    A text stays that has no answer, that is its own answer, or whose answer has lost some of its markup.

    Args:
        slots: The texts of the file, in order.
        answers: One a slot, on one line but for soft breaks; None for none.
        spell: Writes an answer in the place of a slot.
    """
    for slot, answer in zip(slots, answers, strict=True):
        if answer is not None and (answer != slot.text or slot.is_added) and keeps_marks(slot.text, answer):
            yield Edit(slot.start, slot.end, spell(slot, answer))


def edited(raw: str, changes: Iterable[Edit]) -> str:
    """A file with changes made, which are in order and apart; every other character as it was."""
    parts: list[str] = []
    end = 0
    for change in changes:
        parts += (raw[end : change.start], change.text)
        end = change.end
    return "".join((*parts, raw[end:]))


def _trimmed(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The pieces from the first to the last that hold more than white space, these without what they have of it."""
    inked = [place for place, piece in enumerate(pieces) if (piece.shown or "").strip()]
    if not inked:
        return []
    kept = list(pieces[inked[0] : inked[-1] + 1])
    kept[0] = _without_edge(kept[0], kept[0].shown or "", is_start=True)
    kept[-1] = _without_edge(kept[-1], kept[-1].shown or "", is_start=False)
    return kept


def _without_edge(piece: _Piece, shown: str, *, is_start: bool) -> _Piece:
    core = shown.lstrip() if is_start else shown.rstrip()
    cut = len(shown) - len(core)
    if not cut or len(shown) != piece.end - piece.start:
        return _Piece(piece.start, piece.end, core)
    return _Piece(piece.start + cut, piece.end, core) if is_start else _Piece(piece.start, piece.end - cut, core)
