"""Code points beyond ASCII in, what is special about each to a normaliser out: traits, and whether a form changes it.

Most text needs no repair: the few characters that might are known by one look at a table.
"""

from __future__ import annotations

import functools
import unicodedata
from enum import IntFlag
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seq2seq_core.text.unicode import CODE_POINTS, Members

Form = Literal["NFC", "NFKC"]

_CHANGING_BLOCKS = (
    *((0x80, 0x3400), (0xA000, 0xAC00), (0xF900, 0x12000)),
    *((0x16000, 0x17000), (0x1B000, 0x20000), (0x2F800, 0x2FA20)),
)
"""Where Unicode has characters that a normalisation form changes; the rest are ideographs and Hangul."""
_JOINING_JAMO = ((0x1161, 0x1176), (0x11A8, 0x11C3))  # vowels and finals of Hangul, which compose by arithmetic


class Trait(IntFlag):
    """What may be special about a character beyond ASCII."""

    SPACE = 1
    INVISIBLE = 2
    JOINER = 4  # invisible, but with a meaning in some places
    QUOTE = 8
    DASH = 16
    ACCENT = 32  # one that stands alone
    BAD_ALONE = 64  # a mojibake by itself, to ftfy


SPACES = "\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""White space beyond ASCII, as Python's `str.split()` knows it."""
QUOTES = "\xab\xb4\xbb\u2018-\u201f\u2039\u203a\u275b-\u275e\u301d-\u301f"
DASHES = "\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
ACCENTS = "\xa8\xaf\xb4\xb8\u02c6\u02c7\u02cb\u02d8-\u02dd"
JOINERS = "\u200c\u200d\U000e0020-\U000e007f"
BAD_ALONE = "\x80-\x9f\xc2\xc3\u0152\u0153"  # C1 controls, capital A with circumflex or tilde, OE
INVISIBLE = (
    "\x80-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0001"
    "\ufdd0-\ufdef" + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, CODE_POINTS, 1 << 16))
)
"""Controls (C1 without the line end U+0085), soft hyphen, zero-width space, word joiner and invisible operators, marks
of direction, byte order marks, annotation marks, the language tag, and what Unicode says never is a character."""


def traits_of(points: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """The traits of each of some code points."""
    traits: npt.NDArray[np.uint8] = _traits()[points]
    return traits


def characters_in(ranges: str) -> list[int]:
    """The code points of a regular expression's character class, such as `a-z\\u2014`."""
    found: list[int] = []
    place = 0
    while place < len(ranges):
        last = place + 2 if ranges[place + 1 : place + 2] == "-" else place
        found += range(ord(ranges[place]), ord(ranges[last]) + 1)
        place = last + 1
    return found


@functools.cache
def _traits() -> npt.NDArray[np.uint8]:
    """The traits of every code point: uint8."""
    table: npt.NDArray[np.uint8] = np.zeros(CODE_POINTS, np.uint8)
    classes = {
        SPACES: Trait.SPACE,
        QUOTES: Trait.QUOTE,
        DASHES: Trait.DASH,
        ACCENTS: Trait.ACCENT,
        INVISIBLE: Trait.INVISIBLE,
        JOINERS: Trait.INVISIBLE | Trait.JOINER,
        BAD_ALONE: Trait.BAD_ALONE,
    }
    for ranges, trait in classes.items():
        table[characters_in(ranges)] |= np.uint8(trait)
    return table


@functools.cache
def unstable(form: Form) -> Members:
    """The code points that a normalisation form may change, move or join to one before."""

    def build(limit: int) -> npt.NDArray[np.bool_]:
        table: npt.NDArray[np.bool_] = np.zeros(limit, np.bool_)
        characters = [chr(code) for first, end in _CHANGING_BLOCKS for code in range(first, min(end, limit))]
        composed = zip(characters, _normalize_each(characters, form), strict=True)
        found = {character for character, text in composed if character != text or unicodedata.combining(character)}
        found |= {part for parts in _normalize_each(characters, "NFD") for part in parts[1:]}
        table[[code for code in map(ord, found) if code < limit]] = True
        for jamo in _JOINING_JAMO:
            table[slice(*jamo)] = True
        return table

    return Members(build)


def _normalize_each(characters: list[str], form: Form | Literal["NFD"]) -> list[str]:
    """All in one call, with line ends between, which no form changes or joins to anything."""
    return unicodedata.normalize(form, "\n".join(characters)).split("\n")
