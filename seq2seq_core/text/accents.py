"""Columns of text in, the same out with accents that came loose in a PDF back on their letters (`G¨ odel` is `Gödel`).

TeX and old fonts draw a letter's accent as a character of its own, before the letter, and text taken from such pages
has it that way, often with a space between. ASCII's grave, circumflex and tilde are code more often than accents and
stay. An acute beside its letter is an apostrophe more often (it's, d'accord typed on a European keyboard): it needs the
space, except for a dotless i. An accent behind a digit (a minute, a foot) stays too. One between two letters that it
fits goes to the right one.
"""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

_ACUTE = "\u00b4"
_DOTLESS_I = "\u0131"
_COMBINING = {
    "\u00a8": "\u0308",  # diaeresis
    "\u00af": "\u0304",  # macron
    _ACUTE: "\u0301",
    "\u00b8": "\u0327",  # cedilla
    "\u02c6": "\u0302",  # circumflex
    "\u02c7": "\u030c",  # caron
    "\u02cb": "\u0300",  # grave
    "\u02d8": "\u0306",  # breve
    "\u02d9": "\u0307",  # dot above
    "\u02da": "\u030a",  # ring
    "\u02db": "\u0328",  # ogonek
    "\u02dc": "\u0303",  # tilde
    "\u02dd": "\u030b",  # double acute
}
_LETTERS = {
    "\u00a8": "aeiouy",
    "\u00af": "aeiou",
    _ACUTE: "aeiouy",
    "\u00b8": "cst",
    "\u02c6": "aeiou",
    "\u02c7": "cdenrstz",
    "\u02cb": "aeiou",
    "\u02d8": "aegiu",
    "\u02d9": "cegz",
    "\u02da": "au",
    "\u02db": "aeiu",
    "\u02dc": "ano",
    "\u02dd": "ou",
}
"""The letters that carry an accent in the Latin alphabets of Europe, rather than all that Unicode can compose."""


def repair_accents(column: pa.StringArray) -> pa.StringArray:
    """Put detached accents back on the letters before or behind them, in NFC."""
    texts = column.to_pylist()
    return pa.array(map(_repair, texts), pa.string(), size=len(texts))


def _repair(text: str) -> str:
    text = _ACCENT_LETTER.sub(lambda match: _compose(match[0][0], match[0][-1]), text)
    return _LETTER_ACCENT.sub(lambda match: _compose(match[0][-1], match[0][0]), text)


def _compose(accent: str, letter: str) -> str:
    return unicodedata.normalize("NFC", ("i" if letter == _DOTLESS_I else letter) + _COMBINING[accent])


def _pairs(pattern: str) -> re.Pattern[str]:
    """Any accent and one of its letters as the pattern has them, where `gap` is what may stand between them."""
    arms = []
    for accent, lower in _LETTERS.items():
        gap = " " if accent == _ACUTE else " ?"
        arms.append(pattern.format(accent=accent, letters=lower + lower.upper(), gap=gap))
        if "i" in lower:
            arms.append(pattern.format(accent=accent, letters=_DOTLESS_I, gap=" ?"))
    return re.compile("|".join(arms))


_ACCENT_LETTER = _pairs(r"(?<!\d){accent}{gap}[{letters}]")
_LETTER_ACCENT = _pairs("[{letters}]{gap}{accent}")
