"""A line in, its sentences with the space behind each out: cut by sentencex, put together where people would not cut.

What sentencex knows of a language stands. Put together are a number or letter of a list and its item, an abbreviation
and what it belongs to, a German ordinal and its noun, a quotation and the particle behind it in Japanese and Korean,
and the parts of an address.
"""

from __future__ import annotations

import re

import sentencex  # type: ignore[import-untyped]

from seq2seq_core.text.abbreviations import ends_in_abbreviation
from seq2seq_core.text.languages import short_code

_WIDE_STOP, _WIDE_MARK, _WIDE_QUERY, _WIDE_OPEN, _WIDE_CLOSE = "\uff0e\uff01\uff1f\uff08\uff09"

_LIST_MARKER = re.compile(
    rf"[(\[{_WIDE_OPEN}]?(?:[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{0,4}}|[ivxlc]{{1,6}}|[IVXLC]{{1,6}}|[^\W\d_])"
    rf"[.)\]{_WIDE_CLOSE}{_WIDE_STOP}]\s*"
)
_ENDS_MARKER = frozenset(f".)]{_WIDE_CLOSE}{_WIDE_STOP}")

_GERMAN_ORDINAL = re.compile(
    r"(?<!, )\b(?:[Dd](?:e[rmns]|ie|as|iese[rmns]?)|[AaIi]m|[Vv]om|[Zz]u[mr]|[Bb](?:eim|is)|[Aa]b|[Ss]eit"
    r"|[JjKkMmDdSs]?[Ee]ine?[rmns]?|[Jj]ede[rmns]?|[Ii]hre?[rmns]?) (?:[0-9]{1,3}|[IVXLC]{1,6})\.$"
)
_ENDS_ORDINAL = frozenset("0123456789IVXLC")
_GERMAN_START = re.compile(
    r"(?:D(?:e[rmns]|ie|as|ann|anach|ort|a|iese[rmns]?)|E[rs]|Sie|Wir|Ich|Ihr|Man|Und|Oder|Aber|Denn|I[mn]|A[mn]|Au[fs]"
    r"|Bei|Mit|Nach|Vo[rnm]|Zu|Heute|Morgen|Gestern|Hier|Jetzt|Nun|So|Wenn|Als|Wer|Was|Wie|Wo|Eine?[rmns]?)\b"
)

_QUOTE_PARTICLE = re.compile(
    r"\s*(?:と(?!にかく|ころ|[てもん]|り|き|っさ|うとう|ある)|って|など[とのが]|という|とか|を|이?라(?:고|는|며)|하고 )"
)
_SHOUTS = f"!?{_WIDE_MARK}{_WIDE_QUERY}"
_AFTER_QUOTATION = frozenset(f"\"'\u2019\u201d\u300d\u300f{_SHOUTS}")
_CLOSING_BRACKETS = frozenset(f"\u3009\u300b\u300d\u300f\u3011\u3015{_WIDE_CLOSE}\uff3d")
_WIDE_COMMA = "\u3001"

_ADDRESS = re.compile(r"://|\bwww\.|[\w.+-]@[\w-]", re.ASCII | re.IGNORECASE)
_LAST_WORD, _FIRST_WORD = re.compile(r"\S+$"), re.compile(r"\S{1,100}")

_OPENING_QUOTES = frozenset("\"'\u00ab\u2018\u201c\u201e")
_NUMBER_BEHIND_STOP = re.compile(rf"(?<=[\u3002{_WIDE_MARK}{_WIDE_QUERY}])\s*[0-9]{{1,3}}[.{_WIDE_STOP}]\s*$")
_SIGNS_OF_OPENINGS = ("\u3002", _WIDE_MARK, _WIDE_QUERY, *(f" {quote}" for quote in sorted(_OPENING_QUOTES)))
_LOOKED_BACK = 120
_LONGEST_MARKER = 24
_WINDOW = 10_000  # sentencex takes the square of the time for what it finds no end in


def split_sentences(line: str, language: str) -> list[str]:
    """The sentences of a line, which partition it; the line itself should sentencex lose anything of it.

    Args:
        line: A text without line ends but at its end.
        language: A code of ISO 639.
    """
    code = short_code(language)
    found = _cut(line, code)
    if len(found) < 2:
        return found
    groups: list[list[str]] = []
    behind = ""
    for piece in _with_openings_moved(found) if any(sign in line for sign in _SIGNS_OF_OPENINGS) else found:
        if groups and _goes_on(behind, piece, code, is_first=len(groups[-1]) == 1):
            groups[-1].append(piece)
            behind = (behind + piece)[-_LOOKED_BACK:]
        else:
            groups.append([piece])
            behind = piece[-_LOOKED_BACK:]
    return ["".join(group) for group in groups]


def _cut(line: str, language: str) -> list[str]:
    """What sentencex makes of a line, of a long one window by window: the last sentence of a window begins the next."""
    pieces: list[str] = []
    start, goes_on = 0, False
    while start < len(line):
        window = line[start : start + _WINDOW]
        found: list[str] = sentencex.segment(language, window)
        if "".join(found) != window:
            found = [window]
        is_last = start + len(window) == len(line)
        whole = found if is_last or len(found) == 1 else found[:-1]
        start += sum(map(len, whole))
        if goes_on:
            pieces[-1] += whole.pop(0)
        pieces += whole
        goes_on = not is_last and len(found) == 1
    return pieces


def _with_openings_moved(pieces: list[str]) -> list[str]:
    """The pieces with what opens the next one moved there: a quotation mark, the number of an item of a list."""
    moved: list[str] = []
    opening = ""
    for place, piece in enumerate(pieces, 1):
        whole = opening + piece
        opening = _opening_at_end(whole) if place < len(pieces) else ""
        moved.append(whole.removesuffix(opening))
    return moved


def _opening_at_end(piece: str) -> str:
    """What stands at the end of a piece and belongs to the next."""
    if piece[-1] in _OPENING_QUOTES:
        return piece[-1] if piece[-2:-1].isspace() else ""
    if not piece[-_LONGEST_MARKER:].rstrip()[-2:-1].isdigit():
        return ""
    number = _NUMBER_BEHIND_STOP.search(piece[-_LONGEST_MARKER:])
    return number[0] if number else ""


def _goes_on(left: str, right: str, language: str, *, is_first: bool) -> bool:
    """Whether a sentence goes on across a cut.

    Args:
        left: The last characters before the cut.
        right: What stands behind it.
        language: The short code of the language.
        is_first: Whether `left` is one piece alone.
    """
    core = left.rstrip()
    last = core[-1:]
    if right[0] in _CLOSING_BRACKETS or (core == left and _parts_address(left, right)):
        return True
    if is_first and last in _ENDS_MARKER and len(left) <= _LONGEST_MARKER and _LIST_MARKER.fullmatch(left):
        return True
    if last == ".":
        return ends_in_abbreviation(core, right, language) or _ends_in_ordinal(core, right, language)
    if last not in _AFTER_QUOTATION or not _QUOTE_PARTICLE.match(right):
        return False
    return last not in _SHOUTS or right[1:2] != _WIDE_COMMA


def _parts_address(left: str, right: str) -> bool:
    """Whether a cut without white space stands in a URL or a mail address."""
    before, after = _LAST_WORD.search(left), _FIRST_WORD.match(right)
    return before is not None and after is not None and _ADDRESS.search(before[0] + after[0]) is not None


def _ends_in_ordinal(left: str, right: str, language: str) -> bool:
    """Whether a number before the cut is an ordinal: one before a small letter, in German one before a noun too."""
    if left[-2:-1].isdigit() and right[0].islower():
        return True
    if language != "de" or left[-2:-1] not in _ENDS_ORDINAL or _GERMAN_START.match(right):
        return False
    return _GERMAN_ORDINAL.search(left) is not None
