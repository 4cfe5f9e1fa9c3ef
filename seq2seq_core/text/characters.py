"""A column of text in, the places of all characters that are not plain ASCII out, with what is special about each.

Most text needs no repair. One pass over the bytes of a whole column finds the few characters that might, so that no
row is looked at alone unless it holds one.
"""

from __future__ import annotations

import functools
import unicodedata
from enum import IntFlag
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.text.code_points import CODE_POINTS, Members
from seq2seq_core.text.piecewise import find

Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]
Form = Literal["NFC", "NFKC"]

_SPACE = 0x20
_DELETE = 0x7F
_DENSE = 6  # with a character beyond ASCII in so many bytes, decoding all of them is faster than gathering (measured)
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


class Text:
    """A column of text as one run of bytes, and the characters in it that are worth a look; nulls count as empty.

    Attributes:
        column: The column itself.
        data: uint8, the bytes of all rows one after another.
        offsets: int64, rows + 1: where in `data` each row begins.
    """

    def __init__(self, column: pa.StringArray) -> None:
        self.column = column
        column = pc.fill_null(column, "") if column.null_count else column
        _, offsets, data = column.buffers()
        if not len(column):
            self.offsets, self.data = np.zeros(1, np.int64), np.empty(0, np.uint8)
            return
        places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
        held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        self.offsets = places - places[0]
        self.data = held[places[0] : places[-1]]

    @functools.cached_property
    def at(self) -> Positions:
        """Where the characters beyond ASCII begin, ascending."""
        return begins_beyond_ascii(self.data)

    @functools.cached_property
    def codes(self) -> npt.NDArray[np.int32]:
        """The code points of the characters `at` these places."""
        return decode_at(self.data, self.at)

    @functools.cached_property
    def traits(self) -> npt.NDArray[np.uint8]:
        """The traits of the characters `at` these places."""
        return _traits()[self.codes]

    def have(self, trait: Trait) -> Mask:
        """Which of the characters `at` these places have any of these traits."""
        mask: Mask = (self.traits & np.uint8(trait)) != 0
        return mask

    def rows_with(self, trait: Trait) -> Mask:
        """The rows that hold a character with any of these traits."""
        return self.rows_of(self.at[self.have(trait)])

    def rows_not_in(self, form: Form) -> Mask:
        """The rows that may not be in a normalisation form: with a character that fails Unicode's quick check."""
        return self.rows_of(self.at[_unstable(form)[self.codes]])

    def rows_of(self, positions: Positions) -> Mask:
        """The rows to which these places in `data`, ascending, belong."""
        if len(positions) > len(self.offsets):  # fewer searches
            filled: Mask = np.diff(np.searchsorted(positions, self.offsets)) > 0
            return filled
        mask: Mask = np.zeros(len(self.offsets) - 1, np.bool_)
        if len(positions):
            mask[np.searchsorted(self.offsets, positions, side="right") - 1] = True
        return mask

    @functools.cached_property
    def controls(self) -> Positions:
        """Places of ASCII's control characters, white space among them."""
        return find(self.data, _is_control)

    def rows_with_irregular_spaces(self) -> Mask:
        """The rows with white space other than single spaces between words."""
        mask = self.rows_with(Trait.SPACE)
        if len(self.controls):
            mask |= self.rows_of(self.controls[is_ascii_space(self.data[self.controls])])
        twice = find(self.data, lambda data: (data[1:] == _SPACE) & (data[:-1] == _SPACE), beyond=1)
        if len(twice):  # across two rows as well: such rows begin or end with a space
            mask |= self.rows_of(twice)
        filled = np.flatnonzero(np.diff(self.offsets))
        firsts, lasts = self.data[self.offsets[filled]], self.data[self.offsets[filled + 1] - 1]
        mask[filled] |= (firsts == _SPACE) | (lasts == _SPACE)
        return mask


def begins_beyond_ascii(data: npt.NDArray[np.uint8]) -> Positions:
    """Where the characters beyond ASCII begin in some UTF-8, ascending."""
    return find(data, lambda data: data >= 0xC0)


def decode_at(data: npt.NDArray[np.uint8], at: Positions) -> npt.NDArray[np.int32]:
    """The code points of all characters beyond ASCII in some UTF-8, given where they begin."""
    if len(at) * _DENSE > len(data):
        every = np.frombuffer(data.tobytes().decode().encode("utf-32-le"), np.int32)
        return every[every >= 0x80]
    lead = data[at]
    codes: npt.NDArray[np.int32] = ((lead & 0x1F).astype(np.int32) << 6) | _tail(data, at + 1)
    for size, bits in ((3, 0x0F), (4, 0x07)):
        longer = np.flatnonzero(lead >= (0xE0 if size == 3 else 0xF0))
        if len(longer):
            code = (lead[longer] & bits).astype(np.int32)
            for place in range(1, size):
                code = (code << 6) | _tail(data, at[longer] + place)
            codes[longer] = code
    return codes


def _tail(data: npt.NDArray[np.uint8], places: Positions) -> npt.NDArray[np.int32]:
    return (data[places] & 0x3F).astype(np.int32)


def _is_control(data: npt.NDArray[np.uint8]) -> Mask:
    deleted: Mask = data == _DELETE
    if data.min(initial=_SPACE) < _SPACE:
        deleted |= data < _SPACE
    return deleted


def is_ascii_space(controls: npt.NDArray[np.uint8]) -> Mask:
    """Which control characters are white space to Python's `str.split()`."""
    return ((controls >= 0x09) & (controls <= 0x0D)) | ((controls >= 0x1C) & (controls <= 0x1F))


def members(ranges: str) -> list[int]:
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
        table[members(ranges)] |= np.uint8(trait)
    return table


@functools.cache
def _unstable(form: Form) -> Members:
    """The code points that a normalisation form may change, move or join to one before."""

    def build(limit: int) -> Mask:
        table: Mask = np.zeros(limit, np.bool_)
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
