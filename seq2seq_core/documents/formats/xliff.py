"""A file of XLIFF 1.2 or 2 in, its sources out; and the file with targets beside them.

A target that is empty or missing is filled; one that stands there stays, unless it is asked for anew. Inline elements
are marks; those that hold code of the document's format are one mark each. Candidates (`alt-trans`, `matches`), notes
and glossaries are not looked into.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.markup import Token, gather, spelled, tokens, value_of
from seq2seq_core.documents.structured.slots import PLACEHOLDERS, Gatherer, Slot
from seq2seq_core.documents.structured.whole import Document, TextDocument, WholeFormat
from seq2seq_core.documents.structured.xml_text import xml_text

_SOURCE, _SEGMENTED, _TARGET = "source", "seg-source", "target"
_UNITS = frozenset({"trans-unit", "segment"})
_ASIDE = frozenset({"alt-trans", "matches", "notes", "glossary", "ignorable"})
_CODE = frozenset({"bpt", "ept", "ph", "it"})
_INDENT = re.compile(r"\r?\n[ \t]*\Z")
_LONGEST_INDENT = 200
_SLASH = re.compile(r"\s*/>\Z")


class XliffFormat(WholeFormat):
    """What tools for translators exchange."""

    called = "XLIFF"
    suffixes = (".xlf", ".xliff")

    def open(self, data: bytes, handling: Handling) -> Document:
        raw = xml_text(data)
        slots = [slot for unit in _units(raw) for slot in _slots(raw, unit, handling)]
        return TextDocument(raw, slots, lambda slot, answer: slot.spelled(answer, spelled))


@dataclass(frozen=True)
class _Element:
    """An element that is part of a unit: its tags, which are one where it is empty, and what stands between them."""

    opened: Token
    closed: Token
    inner: Sequence[Token]


_Unit = dict[str, _Element]


@dataclass
class _Frame:
    """An element that is open."""

    name: str
    place: int
    is_wanted: bool
    unit: _Unit


def _units(raw: str) -> Iterator[_Unit]:
    """The parts of the units that are to be translated, in order."""
    found = list(tokens(raw))
    stack = [_Frame("", 0, is_wanted=True, unit={})]
    for place, token in enumerate(found):
        name, above = _local(token), stack[-1]
        if token.kind == "open":
            stack.append(_Frame(name, place, _is_wanted(raw, token, above), {}))
        elif token.kind == "empty" and above.name in _UNITS:
            above.unit[name] = _Element(token, token, ())
        elif token.kind == "close" and len(stack) > 1:
            closed = stack.pop()
            if closed.name in _UNITS and closed.is_wanted:
                yield closed.unit
            stack[-1].unit[name] = _Element(found[closed.place], token, found[closed.place + 1 : place])


def _is_wanted(raw: str, token: Token, above: _Frame) -> bool:
    """Whether an element may hold what is to be translated."""
    if _local(token) in _ASIDE or above.name in _ASIDE:
        return False
    said = value_of(raw, token, "translate")
    return above.is_wanted if said is None else said == "yes"


def _local(token: Token) -> str:
    return token.name.rpartition(":")[2]


def _slots(raw: str, unit: _Unit, handling: Handling) -> Iterator[Slot]:
    source, target = unit.get(_SOURCE), unit.get(_TARGET)
    if source is None or (target is not None and not handling.replace and _is_filled(raw, target)):
        return
    gatherer = Gatherer(raw, PLACEHOLDERS)
    _gather(gatherer, source.inner)
    gatherer.close()
    for slot in gatherer.slots:
        lead, trail = raw[source.opened.end : slot.start], raw[slot.end : source.closed.start]
        start, end, before, after = _place(raw, unit, source, target)
        yield dataclasses.replace(slot, start=start, end=end, before=before + lead, after=trail + after)


def _gather(gatherer: Gatherer, inner: Sequence[Token]) -> None:
    """The text of a source; what an element of code holds goes with it."""
    code, start = 0, 0
    for token in inner:
        if _local(token) in _CODE and token.kind in ("open", "close"):
            start = start if code else token.start
            code += 1 if token.kind == "open" else -1
            if not code:
                gatherer.tag(start, token.end)
        elif code:
            continue
        elif token.kind == "text":
            gather(gatherer, token.start, token.end, is_xml=True)
        else:
            gatherer.tag(token.start, token.end)


def _is_filled(raw: str, target: _Element) -> bool:
    return bool(raw[target.opened.end : target.closed.start].strip())


def _place(raw: str, unit: _Unit, source: _Element, target: _Element | None) -> tuple[int, int, str, str]:
    """From where to where a target goes, and the tags that it needs there."""
    if target is None:
        behind = unit.get(_SEGMENTED, source).closed.end
        indent = _INDENT.search(raw[max(0, source.opened.start - _LONGEST_INDENT) : source.opened.start])
        name = source.opened.name.removesuffix(_SOURCE) + _TARGET
        return behind, behind, f"{indent[0] if indent else ''}<{name}>", f"</{name}>"
    if target.opened is not target.closed:
        return target.opened.end, target.closed.start, "", ""
    tag = raw[target.opened.start : target.opened.end]
    slash = _SLASH.search(tag)
    start = target.opened.end if slash is None else target.opened.start + slash.start()
    return start, target.opened.end, ">", f"</{target.opened.name}>"
