"""The words before a cut and what follows it in; whether an abbreviation stands there that ends no sentence out.

Only what sentencex does not know by itself, and what is a word in no language it would be taken for.
"""

# ruff: noqa: RUF001 - the letters are those of the languages

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BEFORE_ANYTHING = _set(
    "bl.a bzw cf d.h d.w.z dr e.g einschl esim evtl exkl f.eks ggf hrsg i.d.r i.e inkl mgr mlle mme mr mrs m.a.w np "
    "např o.a p.ej p.ex prof t.ex tj tzn tzv tzw u.a vgl viz vs z.b zzgl акад доц д-р напр проф т.е т.к т.н ул डॉ د"
)
"""Abbreviations that end no sentence, whatever follows."""

_BEFORE_ANYTHING_IN = {
    "cs": _set("ing mudr sv"),
    "de": _set("fr geb hr lt sog st"),
    "es": _set("d dña dra sr sra srta ud uds"),
    "fr": _set("m me mm pr st ste"),
    "it": _set("avv dott geom ing rag sig sig.ra"),
    "nl": _set("bijv bv dhr dra drs ds ir mevr"),
    "pl": _set("al inż ks św ul"),
    "pt": _set("dra sr sra"),
    "ru": _set("г ред"),
}
"""The same of one language: what is a word or a unit elsewhere."""

_BEFORE_NUMBERS = _set(
    "abb abs afb anm approx appx apr aprox art arts aufl aug bd bde blz bzgl ca cap ch chap chaps circa dec déc dez "
    "ds eds env eq eqs feb febr fév fig figs fol hft jan janv jg kap lfd n no nos nov nr nrs num núm obr oct okt p "
    "pag pág págs par para pos poz pp rdnr ref refs rn rozdz rys s sec sect sep sept st str t tab tabl tel tit tom "
    "v vol vols z ziff č гл илл кн п пп прим рис с св см ст стр т табл тел № ج رقم ص"
)
"""Abbreviations that end no sentence where a number follows, in digits or Roman."""

_BEFORE_NUMBERS_IN = {"pl": _set("ok"), "ru": _set("д")}

_NONE: frozenset[str] = frozenset()
_NUMBER = re.compile(r"\d|[IVXLC]{2,}\b|[IVXLC][.,:;)]")
_OPENING = "([{\"'/-\u00ab\u2013\u2014\u2018\u201c\u201e"
_LOOKED_BACK = 40
_LONGEST = 16


def ends_in_abbreviation(left: str, right: str, language: str) -> bool:
    """Whether the full stop that ends `left` is that of an abbreviation, and the sentence goes on with `right`.

    Args:
        left: What stands before the cut, without white space at its end.
        right: What stands behind it.
        language: The short code of the language.
    """
    words = left[-_LOOKED_BACK:-1].rsplit(None, 2)
    if not words or len(words[-1]) > _LONGEST:
        return False
    word = words[-1].lower().lstrip(_OPENING)
    before = words[-2] if len(words) > 1 else " "
    known = _BEFORE_ANYTHING_IN.get(language, _NONE)
    if word in _BEFORE_ANYTHING or word in known:
        return not before[-1].isdigit()  # a unit: `5 m.`
    if before[-1] == "." and before.lower().lstrip(_OPENING) + word in _BEFORE_ANYTHING:  # `z. B.`
        return True
    numbered = word in _BEFORE_NUMBERS or word in _BEFORE_NUMBERS_IN.get(language, _NONE)
    return numbered and _NUMBER.match(right) is not None
