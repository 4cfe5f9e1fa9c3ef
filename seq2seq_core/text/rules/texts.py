"""The texts of one side of a batch in; what rules measure on them out, each computed once, for all rows together.

The texts stay what they are in Arrow: one buffer of UTF-8 and the offsets of the rows. A question about characters is
asked of all bytes at once (`data == ord("<")`, which the processor answers 32 bytes at a time) and counted a row by
the difference of two running totals; only what is not ASCII is decoded, and of it only the characters beyond ASCII.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.text.characters import begins_beyond_ascii, decode_at
from seq2seq_core.text.code_points import Members
from seq2seq_core.text.piecewise import find, mark
from seq2seq_core.text.rules import unicode

Octets = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BELOW = (np.uint64(1) << np.arange(64, dtype=np.uint64)) - np.uint64(1)


class Texts:
    """One side of a batch of rows.

    Attributes:
        column: The texts, string or large_string of n rows, no nulls.
        data: Their bytes in a row, uint8 [N].
        offsets: Where each row begins in `data`, and the last one ends, int64 [n + 1].
    """

    def __init__(self, column: pa.StringArray) -> None:
        self.column = column
        self.data, self.offsets = _bytes_of(column)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def count(self, mask: Bools) -> Ints:
        """How many bytes of each row a mask over `data` marks, int64 [n]: running totals of 64 bytes, and the rest."""
        packed = np.zeros((len(mask) // 64 + 1) * 8, np.uint8)
        packed[: (len(mask) + 7) // 8] = np.packbits(mask, bitorder="little")
        words = packed.view("<u8")
        totals = np.zeros(len(words), np.int64)
        np.cumsum(np.bitwise_count(words[:-1]), out=totals[1:])
        whole, rest = self._places
        counts: Ints = np.diff(totals[whole] + np.bitwise_count(words[whole] & rest))
        return counts

    @cached_property
    def _places(self) -> tuple[Ints, npt.NDArray[np.uint64]]:
        """For each offset, the 64 bytes it lies in, and a bit for each of these before it."""
        return self.offsets >> 6, _BELOW[self.offsets & 63]

    def count_at(self, positions: Ints) -> Ints:
        """How many of some rising positions in `data` lie in each row, int64 [n]; for few of them."""
        return np.diff(np.searchsorted(positions, self.offsets)) if len(positions) else np.zeros(len(self), np.int64)

    def rows_of(self, positions: Ints) -> Ints:
        """The row that each position in `data` lies in."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def has_any(self, positions: Ints) -> Bools:
        """Which rows hold one of some positions, bool [n]."""
        rows = np.zeros(len(self), np.bool_)
        rows[self.rows_of(positions)] = True
        return rows

    def find_signs(self, signs: str) -> Ints:
        """Where some of ASCII's punctuation and symbols stand, rising."""
        wanted = np.zeros(0x80, np.bool_)
        wanted[list(map(ord, signs))] = True
        positions, codes = self.signs
        return positions[wanted[codes]]

    def find_wide(self, members: Members) -> Ints:
        """Where the characters beyond ASCII that a table (of `unicode`) marks begin, rising."""
        positions, points = self.wide
        found: Ints = positions[members[points]]
        return found

    def count_wide(self, members: Members) -> Ints:
        """How many characters beyond ASCII of each row a table (of `unicode`) marks, int64 [n]."""
        _, points = self.wide
        if not len(points):
            return np.zeros(len(self), np.int64)
        totals = np.zeros(len(points) + 1, np.int64)
        np.cumsum(members[points], out=totals[1:])
        return np.diff(totals[self.wide_offsets])

    def mark_wide(self, mask: Bools, begins: Ints) -> None:
        """Set all bytes of the characters beyond ASCII that begin at some places."""
        widths = 2 + (self.data[begins] >= 0xE0).astype(np.int64) + (self.data[begins] >= 0xF0)
        for i in range(4):
            mask[begins[i < widths] + i] = True

    def only(self, rows: Bools) -> Texts:
        """Some of the rows."""
        return Texts(self.column.filter(pa.array(rows)))

    def measure_rows(self, rows: Bools, function: Callable[[str], float], default: float = 0.0) -> Floats:
        """The slow path: a Python function of the text of some rows, and a default for all others, float64 [n]."""
        values = np.full(len(self), default)
        values[rows] = [function(text) for text in self.column.filter(pa.array(rows)).to_pylist()]
        return values

    @cached_property
    def signs(self) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """ASCII's punctuation and symbols: where they stand in `data`, and which they are."""
        positions = find(self.data, _is_sign)
        return positions, self.data[positions]

    @cached_property
    def wide(self) -> tuple[Ints, npt.NDArray[np.int32]]:
        """The characters beyond ASCII: where they begin in `data`, and their code points."""
        begins = begins_beyond_ascii(self.data)
        return begins, decode_at(self.data, begins)

    @cached_property
    def wide_offsets(self) -> Ints:
        """Where each row begins among the characters beyond ASCII, int64 [n + 1]."""
        return np.searchsorted(self.wide[0], self.offsets)

    @cached_property
    def bytes(self) -> Ints:
        """Bytes of each row, int64 [n]."""
        return np.diff(self.offsets)

    @cached_property
    def characters(self) -> Ints:
        """Characters (code points) of each row, int64 [n]."""
        return self.bytes - self.count(mark(self.data, _is_continuation)) if len(self.wide[0]) else self.bytes

    @cached_property
    def points(self) -> tuple[npt.NDArray[Any], Ints]:
        """All characters as numbers (uint8 or uint32), and the offsets of the rows among them, int64 [n + 1]."""
        if not len(self.wide[0]):
            return self.data, self.offsets
        points = np.frombuffer(self.data.tobytes().decode("utf-8").encode("utf-32-le"), np.uint32)
        return points, np.concatenate([[0], np.cumsum(self.characters)])

    @cached_property
    def ascii_letters(self) -> Bools:
        """Which bytes are letters of ASCII."""
        return mark(self.data, _is_letter)

    @cached_property
    def ascii_digits(self) -> Bools:
        """Which bytes are digits of ASCII."""
        return mark(self.data, _is_digit)

    @cached_property
    def digits(self) -> Bools:
        """Which bytes belong to decimal digits (bool [N]), those of all scripts."""
        begins = self.find_wide(unicode.members(unicode.DIGIT))
        if not len(begins):
            return self.ascii_digits
        mask = self.ascii_digits.copy()
        self.mark_wide(mask, begins)
        return mask

    @cached_property
    def ascii_letter_counts(self) -> Ints:
        """Letters of ASCII in each row, int64 [n]."""
        return self.count(self.ascii_letters)

    @cached_property
    def letters(self) -> Ints:
        """Letters (and the marks that belong to them) of each row, int64 [n]."""
        return self.ascii_letter_counts + self.count_wide(unicode.members(unicode.LETTER))

    @cached_property
    def ascii_spaces(self) -> Bools:
        """Which bytes are white space of ASCII."""
        return mark(self.data, _is_space)

    @cached_property
    def spaces(self) -> Bools:
        """Which bytes belong to white space (bool [N]), that of Unicode included."""
        begins = self.find_wide(unicode.members(unicode.SPACE))
        if not len(begins):
            return self.ascii_spaces
        mask = self.ascii_spaces.copy()
        self.mark_wide(mask, begins)
        return mask

    @cached_property
    def visible(self) -> Ints:
        """Characters of each row that are not white space, int64 [n]."""
        return self.characters - self.count(self.ascii_spaces) - self.count_wide(unicode.members(unicode.SPACE))

    @cached_property
    def word_begins(self) -> Bools:
        """Which bytes begin a word, as `str.split()` finds them."""
        begins = np.empty(len(self.data), np.bool_)
        begins[1:] = self.spaces[:-1]
        begins[self.offsets[:-1][self.bytes > 0]] = True
        np.greater(begins, self.spaces, out=begins)  # and no space itself
        return begins

    @cached_property
    def words(self) -> Ints:
        """Words of each row separated by white space, as `len(text.split())` counts them, int64 [n]."""
        return self.count(self.word_begins)


def share(part: Ints | Floats, whole: Ints, empty: float = 0.0) -> Floats:
    """`part / whole` a row, and `empty` where there is nothing to have a part of."""
    result: Floats = np.divide(part, whole, out=np.full(len(part), empty), where=whole > 0)
    return result


def text_rows(column: pa.StringArray, rows: Bools) -> Sequence[str]:
    """The texts of some rows, as Python's; for few of them."""
    texts: list[str] = column.filter(pa.array(rows)).to_pylist()
    return texts


def _is_letter(data: Octets) -> Bools:
    result: Bools = ((data | 0x20) - np.uint8(ord("a"))) < 26
    return result


def _is_digit(data: Octets) -> Bools:
    result: Bools = (data - np.uint8(ord("0"))) < 10
    return result


def _is_sign(data: Octets) -> Bools:
    is_printable: Bools = (data - np.uint8(0x21)) < 0x5E
    return is_printable & ~(_is_letter(data) | _is_digit(data))


def _is_space(data: Octets) -> Bools:
    if data.min(initial=0x20) == 0x20:
        plain: Bools = data == 0x20
        return plain
    result: Bools = ((data - np.uint8(0x09)) < 5) | ((data - np.uint8(0x1C)) < 5)
    return result


def _is_continuation(data: Octets) -> Bools:
    """Whether a byte of UTF-8 goes on with the character before."""
    result: Bools = (data & 0xC0) == 0x80
    return result


def _bytes_of(column: pa.StringArray) -> tuple[npt.NDArray[np.uint8], Ints]:
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = column.buffers()
    numbers = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    first, end = int(numbers[0]), int(numbers[-1])
    if first == end:
        return np.zeros(0, np.uint8), numbers - first
    return np.frombuffer(data, np.uint8)[first:end], numbers - first
