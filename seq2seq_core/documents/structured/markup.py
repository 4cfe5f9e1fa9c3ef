"""A text of HTML or XML in, its tokens out: tags, texts, comments, each with its place, so that they partition it.

HTML is taken apart as its standard says (WHATWG, 13.2.5), as far as places go: no byte of it is judged or repaired.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from seq2seq_core.documents.structured.slots import Gatherer

Kind = Literal["text", "open", "close", "empty", "other"]

_TOKEN = re.compile(
    r"""<!--(?:>|->|(?s:.*?)(?:--!?>|\Z))
    |<!\[CDATA\[(?P<cdata>(?s:.*?))(?:\]\]>|\Z)
    |<!DOCTYPE(?:[^>\[]|\[(?s:.*?)\]\s*(?=>))*+>
    |<\?(?s:.*?)\?>
    |<[!?][^>]*+(?:>|\Z)
    |<(?P<slash>/?)(?P<name>[A-Za-z_][^\s/>]*)
      (?P<rest>(?:=\s*+"[^"]*+"|=\s*+'[^']*+'|[^>])*+)>
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")
_LINE_ENDS = re.compile(r"[ \t\f]*[\r\n]\s*")
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);?")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff\v]")
_XML_REFERENCE = re.compile(r"&(?:#[0-9]+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);")


@dataclass(frozen=True)
class Token:
    """A piece of markup or text.

    Attributes:
        kind: `other` is a comment, a declaration, an instruction.
        name: Of a tag, as it is written.
        start: Where it begins, in characters.
        end: Where it ends.
        inner: Of a section of CDATA, where its text begins and ends.
    """

    kind: Kind
    start: int
    end: int
    name: str = ""
    inner: tuple[int, int] | None = None


def tokens(raw: str, unread: Collection[str] = ()) -> Iterator[Token]:
    """The tokens of a text, in order; they partition it.

    Args:
        raw: The text.
        unread: Elements (in small letters) whose content is one text up to their end, whatever is in it.
    """
    end = 0
    while found := _TOKEN.search(raw, end):
        if end < found.start():
            yield Token("text", end, found.start())
        end = found.end()
        name = found["name"]
        if name is None:
            inner = found.span("cdata") if found["cdata"] is not None else None
            yield Token("other", found.start(), end, inner=inner)
            continue
        kind: Kind = "close" if found["slash"] else "empty" if found["rest"].endswith("/") else "open"
        yield Token(kind, found.start(), end, name)
        if kind == "open" and name.lower() in unread:
            begin, end = end, _end_of(raw, name, end)
            if begin < end:
                yield Token("text", begin, end)
    if end < len(raw):
        yield Token("text", end, len(raw))


def attributes(raw: str, tag: Token) -> dict[str, tuple[int, int]]:
    """Where the values of attributes of a tag stand, by their names in small letters; the first of a name counts."""
    places: dict[str, tuple[int, int]] = {}
    for found in _ATTRIBUTE.finditer(raw, tag.start + 1 + len(tag.name), tag.end - 1):
        value = next((group for group in (2, 3, 4) if found[group] is not None), None)
        if value is not None:
            places.setdefault(found[1].lower(), found.span(value))
    return places


def value_of(raw: str, tag: Token, name: str) -> str | None:
    """The value of an attribute as it reads; None where there is none."""
    place = attributes(raw, tag).get(name)
    return None if place is None else html.unescape(raw[place[0] : place[1]])


def gather(gatherer: Gatherer, start: int, end: int, *, is_xml: bool = False) -> None:
    """Text between two places: as it is, character references as what they mean, line ends as spaces."""
    raw = gatherer.raw
    pieces = [(*found.span(), "") for found in _LINE_ENDS.finditer(raw, start, end)]
    pieces += _references(raw, start, end, _XML_REFERENCE if is_xml else _REFERENCE)
    for begin, stop, reading in sorted(pieces):
        gatherer.text(start, begin)
        if reading:
            gatherer.spelled(begin, stop, reading)
        else:
            gatherer.line_end(begin, stop)
        start = stop
    gatherer.text(start, end)


def _references(raw: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Begin, end and reading of the character references between two places; those that are none are left out."""
    for found in pattern.finditer(raw, start, end):
        reading = html.unescape(found[0])
        if reading and reading != found[0]:
            yield found.start(), found.end(), reading


def spelled(text: str) -> str:
    """A text as it stands between tags; characters that XML does not know are replaced."""
    return _NOT_IN_XML.sub("\ufffd", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def spelled_value(text: str) -> str:
    """A text as it stands in an attribute, whatever encloses it."""
    return spelled(text).replace('"', "&quot;").replace("'", "&#39;")


def _end_of(raw: str, name: str, start: int) -> int:
    """Where the end tag of an element begins that is not read; the end of the text where it has none."""
    found = re.compile(rf"</{re.escape(name)}(?=[\s/>])", re.IGNORECASE).search(raw, start)
    return found.start() if found else len(raw)
