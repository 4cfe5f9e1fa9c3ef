"""A text of any kind in, a short one that shows what is invisible, and is safe on a page or terminal, out."""

from __future__ import annotations

import unicodedata

_SHOWN = 240
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # they belong to Persian, Hindi and emoji, where nothing is amiss


def excerpt(text: str, most: int = _SHOWN) -> str:
    """The first `most` characters; control and other invisible characters as ⟨U+0000⟩."""
    shown = "".join(map(_visible, text[:most]))
    return shown if len(text) <= most else f"{shown}… ({len(text):,} characters)"


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN and character not in _JOINERS:
        return f"⟨U+{ord(character):04X}⟩"
    return character
