"""Columns of text in, the same out with UTF-8 that was once read in another encoding put right (`Ã¼` is `ü` again).

The repair is ftfy's, which weighs what a text looks like before and after. It is slow, so only rows come to it that
hold what it could repair: characters that an old encoding would write as the bytes of one character in UTF-8. Texts
where bytes are lost for good, which ftfy would give a replacement character, stay as they are.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import ftfy
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ftfy.chardata import CHARMAP_ENCODINGS

from seq2seq_core.text.characters import Mask, Positions, Text

_Bits = npt.NDArray[np.uint16]  # a bit for each encoding

_SPACE = 0x20
_TABLE_SIZE = 0x10000
_LEADS = ((0xC0, 0xE0), (0xE0, 0xF0), (0xF0, 0xF5))  # of sequences of 2, 3 and 4 bytes
_LOST_BYTE = frozenset({0xC2, 0xC3, 0xC5, 0xCE, 0xD0, 0xD9, 0xE2})
"""After these a no-break space, which is a continuation byte too, may have become a plain one (ftfy's own list)."""


class _Roles(NamedTuple):
    """Which part of a UTF-8 sequence each character below U+10000 is, by encoding.

    Attributes:
        leads: The first byte of a sequence of 2, 3 and 4.
        continuation: A later byte.
        starts: Any of `leads`, or a byte after which a lost no-break space is looked for.
        before_space: The latter.
    """

    leads: tuple[_Bits, ...]
    continuation: _Bits
    starts: Mask
    before_space: Mask


def rows_with_mojibake(text: Text) -> Mask:
    """The rows with a character of UTF-8 read as one of ftfy's encodings, or with a C1 control."""
    roles = _roles()
    codes = np.minimum(text.codes, _TABLE_SIZE - 1)
    ends = text.at + 2 + (text.codes >= 0x800) + (text.codes >= 0x10000)
    chosen = np.flatnonzero(roles.starts[codes])
    found = [chosen[(codes[chosen] >= 0x80) & (codes[chosen] < 0xA0)], _before_space(text, ends, codes, chosen)]
    bits = np.full(len(chosen), np.iinfo(np.uint16).max, np.uint16)
    for length, leads in enumerate(roles.leads, 1):
        touches = chosen + length < len(codes)
        following = chosen[touches] + length
        touches[touches] = text.at[following] == ends[following - 1]
        chosen, bits = chosen[touches], bits[touches]
        bits &= roles.continuation[codes[chosen + length]]
        found.append(chosen[(bits & leads[codes[chosen]]) != 0])
    return text.rows_of(text.at[np.concatenate(found)])


def _before_space(text: Text, ends: Positions, codes: npt.NDArray[np.int32], chosen: Positions) -> Positions:
    """Those of the chosen characters where the space that follows may have been a continuation byte."""
    chosen = chosen[_roles().before_space[codes[chosen]]]
    chosen = chosen[ends[chosen] < len(text.data)]
    spaced: Positions = chosen[text.data[ends[chosen]] == _SPACE]
    return spaced


def repair_mojibake(column: pa.StringArray) -> pa.StringArray:
    """`ftfy.fix_encoding` of every row."""
    texts = column.to_pylist()
    return pa.array(map(ftfy.fix_encoding, texts), pa.string(), size=len(texts))


@functools.cache
def _roles() -> _Roles:
    leads = tuple(np.zeros(_TABLE_SIZE, np.uint16) for _ in _LEADS)
    continuation, before_space = np.zeros(_TABLE_SIZE, np.uint16), np.zeros(_TABLE_SIZE, np.bool_)
    for number, encoding in enumerate(CHARMAP_ENCODINGS):
        bit = np.uint16(1 << number)
        for byte, character in enumerate(bytes(range(0x80, 0x100)).decode(encoding, "replace"), 0x80):
            if byte < 0xC0:
                continuation[ord(character)] |= bit
            for table, (first, end) in zip(leads, _LEADS, strict=True):
                if first <= byte < end:
                    table[ord(character)] |= bit
            before_space[ord(character)] |= byte in _LOST_BYTE
    starts = before_space | (np.bitwise_or.reduce(leads) != 0)
    starts[0x80:0xA0] = True  # C1 controls, which ftfy reads as Windows-1252
    return _Roles(leads, continuation, starts, before_space)
