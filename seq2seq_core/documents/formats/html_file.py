"""A file of HTML in, its texts out: what stands between tags of blocks, with inline tags as marks.

What a browser shows as it is written (`pre`), code, scripts, styles, and what its author says is not to be translated
(`translate="no"`, the class `notranslate`) stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seq2seq_core.documents.fields import Handling
from seq2seq_core.documents.structured.markup import (
    Token,
    attributes,
    gather,
    spelled,
    spelled_value,
    tokens,
    value_of,
)
from seq2seq_core.documents.structured.slots import Edit, Gatherer, Slot, edited, edits
from seq2seq_core.documents.structured.whole import Document, WholeFormat, decoded


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_UNREAD = _names("script style textarea xmp iframe noembed noframes")
_INLINE = _names(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark math q rp rt ruby s samp"
    " small span strike strong sub sup svg time tt u var wbr"
)
_KEPT = _names("code kbd math pre samp svg tt var")
_VALUE = "value"


class HtmlFormat(WholeFormat):
    """A web page, or part of one."""

    called = "HTML"
    suffixes = (".html", ".htm", ".xhtml")

    def open(self, data: bytes, handling: Handling) -> Document:
        raw = decoded(data)
        return HtmlDocument(raw, _slots(raw, handling.attributes))


@dataclass(frozen=True)
class HtmlDocument:
    """A page; a tag inside a text may hold texts of its own in its attributes."""

    raw: str
    slots: Sequence[Slot]

    def write(self, answers: Sequence[str | None]) -> bytes:
        pairs = list(zip(self.slots, answers, strict=True))
        values = [*edits(*_columns([pair for pair in pairs if pair[0].kind == _VALUE]), _spell)]
        texts = [(self._with(slot, values), answer) for slot, answer in pairs if slot.kind != _VALUE]
        changes = [*edits(*_columns(texts), _spell)]
        inside = [value for value in values if not any(one.start <= value.start < one.end for one in changes)]
        return edited(self.raw, sorted((*changes, *inside), key=lambda one: one.start)).encode("utf-8")

    def _with(self, slot: Slot, values: Sequence[Edit]) -> Slot:
        """A text whose tags have other values."""
        changed = [value for value in values if slot.start <= value.start < slot.end]
        if not changed:
            return slot
        tags = tuple(self._tag(*place, changed) for place in slot.places)
        return dataclasses.replace(slot, tags=tags)

    def _tag(self, start: int, end: int, values: Sequence[Edit]) -> str:
        inside = [Edit(one.start - start, one.end - start, one.text) for one in values if start <= one.start < end]
        return edited(self.raw[start:end], inside)


def _columns(pairs: Sequence[tuple[Slot, str | None]]) -> tuple[list[Slot], list[str | None]]:
    return [slot for slot, _ in pairs], [answer for _, answer in pairs]


def _spell(slot: Slot, answer: str) -> str:
    return slot.spelled(answer, spelled_value if slot.kind == _VALUE else spelled)


def _slots(raw: str, wanted: Sequence[str]) -> list[Slot]:
    texts, values = Gatherer(raw), Gatherer(raw)
    for token, end in _kept_together(raw):
        name = token.name.lower()
        if token.kind == "text":
            gather(texts, token.start, end)
        elif token.kind == "other" or name in _INLINE:
            texts.tag(token.start, end)
        else:
            texts.close()
        if token.end == end and token.kind in ("open", "empty"):
            for place in _values(raw, token, wanted):
                gather(values, *place)
                values.close(_VALUE)
    texts.close()
    return sorted((*texts.slots, *values.slots), key=lambda slot: slot.start)


def _kept_together(raw: str) -> Iterator[tuple[Token, int]]:
    """The tokens of a page and where they end; an element that stays as it is, with all in it, as one."""
    kept: Token | None = None
    depth = 0
    for token in tokens(raw, _UNREAD):
        name = token.name.lower()
        if kept is None:
            if token.kind == "open" and name not in _VOID and (name in _KEPT | _UNREAD or _is_closed(raw, token)):
                kept, depth = token, 1
            else:
                yield token, token.end
        elif name == kept.name.lower():
            depth += {"open": 1, "close": -1}.get(token.kind, 0)
            if not depth:
                yield kept, token.end
                kept = None
    if kept is not None:
        yield kept, len(raw)


def _is_closed(raw: str, token: Token) -> bool:
    """Whether the author of a page says that an element is not to be translated."""
    if "translate" not in raw[token.start : token.end]:
        return False
    translate, names = value_of(raw, token, "translate"), value_of(raw, token, "class")
    return (translate or "").lower() == "no" or "notranslate" in (names or "").split()


def _values(raw: str, token: Token, wanted: Sequence[str]) -> list[tuple[int, int]]:
    if not wanted:
        return []
    found = attributes(raw, token)
    return [found[name] for name in wanted if name in found]
