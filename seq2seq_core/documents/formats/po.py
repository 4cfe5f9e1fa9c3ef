"""A catalogue of gettext in, its messages out; and the catalogue with their translations.

Only what stands between the quotation marks of translations changes: comments, order, and how lines are broken stay,
which libraries that write whole catalogues would change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.slots import Slot, marked
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat, decoded

_LINE = re.compile(
    r"[ \t]*(?:(?P<word>msgctxt|msgid_plural|msgid|msgstr(?:\[[0-9]+\])?)[ \t]*)?"
    r'(?P<string>"(?:\\.|[^"\\\r\n])*")[ \t]*$'
    r"|(?P<other>.*)$",
    re.MULTILINE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'[\\"\n\t\r\a\b\f\v]')
_ESCAPED = {sign: letter for letter, sign in _ESCAPES.items()}
_SOURCE, _PLURAL, _TARGET = "msgid", "msgid_plural", "msgstr"


class PoFormat(WholeFormat):
    """Messages of a program; those of several numbers have a translation for each form."""

    called = "PO"
    suffixes = (".po", ".pot")

    def open(self, data: bytes, handling: Handling) -> Document:
        raw = decoded(data)
        slots = [slot for entry in _entries(raw) for slot in _slots(entry, handling)]
        return TextDocument(raw, slots, lambda slot, answer: slot.spelled(answer, _escaped))


@dataclass
class _String:
    """A string, which may stand on several lines: what it reads, and from which quotation mark to which it stands."""

    word: str
    start: int
    end: int
    text: str


@dataclass
class _Entry:
    """A message: its strings in order."""

    strings: list[_String] = field(default_factory=list)

    def first(self, word: str) -> str:
        return next((one.text for one in self.strings if one.word == word), "")


def _entries(raw: str) -> Iterator[_Entry]:
    entry = _Entry()
    for line in _LINE.finditer(raw):
        if line["string"] is None:
            continue
        word, string = line["word"], _ESCAPE.sub(_meant, line["string"][1:-1])
        if word is None:
            if entry.strings:
                entry.strings[-1].text += string
                entry.strings[-1].end = line.end("string")
            continue
        if not word.startswith(_TARGET) and entry.strings and entry.strings[-1].word.startswith(_TARGET):
            yield entry
            entry = _Entry()
        entry.strings.append(_String(word, *line.span("string"), string))
    yield entry


def _slots(entry: _Entry, handling: Handling) -> Iterator[Slot]:
    """The translations to be made: of the first form that of the message, of the others that of its plural."""
    source, plural = entry.first(_SOURCE), entry.first(_PLURAL)
    for target in entry.strings:
        if not target.word.startswith(_TARGET) or (target.text and not handling.replace):
            continue
        whole = source if target.word in (_TARGET, f"{_TARGET}[0]") else plural
        text, tags = marked(whole.strip(), _escaped)
        if any(map(str.isalpha, text)):
            lead = whole[: len(whole) - len(whole.lstrip())]
            trail = whole[len(whole.rstrip()) :]
            before, after = f'"{_escaped(lead)}', f'{_escaped(trail)}"'
            yield Slot(target.start, target.end, text, tags, before=before, after=after)


def _meant(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[1])


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(lambda found: "\\" + _ESCAPED.get(found[0], found[0]), text)
