"""A column of text in; what normalisers and rules ask of all its bytes at once out, each answer found once.

The texts stay what they are in Arrow: one buffer of UTF-8 and the offsets of the rows. A question about characters is
asked of all bytes at once (`data == ord("<")`, which the processor answers 32 bytes at a time) and counted a row by
the difference of two running totals; only what is not ASCII is decoded, and of it only the characters beyond ASCII.

Most columns are in order: a normaliser gives them back as the object it got, and rules go on with what it has found.
Answers live as long as the column, which is that of one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.text import unicode
from seq2seq_core.text.piecewise import find, mark
from seq2seq_core.text.traits import Form, Trait, traits_of, unstable
from seq2seq_core.text.unicode import Members

Octets = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_SPACE = 0x20
_DELETE = 0x7F
_DENSE = 6  # with a character beyond ASCII in so many bytes, decoding all of them is faster than gathering (measured)
_BELOW = (np.uint64(1) << np.arange(64, dtype=np.uint64)) - np.uint64(1)


class TextColumn:
    """One side of a batch of rows.

    Attributes:
        column: The texts, string or large_string of n rows; nulls count as empty.
        data: Their bytes in a row, uint8 [N].
        offsets: Where each row begins in `data`, and the last one ends, int64 [n + 1].
    """

    def __init__(self, column: pa.StringArray) -> None:
        self.column = column
        self.data, self.offsets = _bytes_of(pc.fill_null(column, "") if column.null_count else column)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def only(self, rows: Bools) -> TextColumn:
        """Some of the rows."""
        return TextColumn(self.column.filter(pa.array(rows)))

    def replaced(self, rows: Bools, texts: TextColumn) -> TextColumn:
        """The column with other texts in some rows; in all others, characters beyond ASCII are not looked for again."""
        result = TextColumn(pc.replace_with_mask(self.column, pa.array(rows), texts.column))
        begins, moved = self.wide_offsets[:-1].copy(), result.offsets[:-1].copy()
        begins[rows] = texts.wide_offsets[:-1] + len(self.wide_at)  # those of the other texts stand behind all
        moved[rows] -= texts.offsets[:-1]
        moved[~rows] -= self.offsets[:-1][~rows]
        sizes = np.diff(self.wide_offsets)
        sizes[rows] = np.diff(texts.wide_offsets)
        result.wide_offsets = np.concatenate([[0], np.cumsum(sizes)])
        order = np.repeat(begins - result.wide_offsets[:-1], sizes) + np.arange(sizes.sum())
        result.wide_at = np.concatenate([self.wide_at, texts.wide_at])[order] + np.repeat(moved, sizes)
        result.wide_points = np.concatenate([self.wide_points, texts.wide_points])[order]
        return result

    def measure_rows(self, rows: Bools, function: Callable[[str], float], default: float = 0.0) -> Floats:
        """The slow path: a Python function of the text of some rows, and a default for all others, float64 [n]."""
        values = np.full(len(self), default)
        values[rows] = [function(text) for text in text_rows(self.column, rows)]
        return values

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
        """Which rows hold one of some rising positions, bool [n]."""
        if len(positions) > len(self.offsets):  # fewer searches
            return np.diff(np.searchsorted(positions, self.offsets)) > 0
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
        found: Ints = self.wide_at[members[self.wide_points]]
        return found

    def count_wide(self, members: Members) -> Ints:
        """How many characters beyond ASCII of each row a table (of `unicode`) marks, int64 [n]."""
        return self._sum_wide(members[self.wide_points])

    def mark_wide(self, mask: Bools, begins: Ints) -> None:
        """Set all bytes of the characters beyond ASCII that begin at some places."""
        sizes = _sizes(self.data[begins])
        for i in range(4):
            mask[begins[i < sizes] + i] = True

    def _sum_wide(self, values: npt.NDArray[Any]) -> Ints:
        """The sum over each row of a number for each character beyond ASCII, int64 [n]."""
        if not len(values):
            return np.zeros(len(self), np.int64)
        totals = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=totals[1:])
        return np.diff(totals[self.wide_offsets])

    def have(self, trait: Trait) -> Bools:
        """Which of the characters beyond ASCII have any of these traits."""
        mask: Bools = (self.traits & np.uint8(trait)) != 0
        return mask

    def rows_with(self, trait: Trait) -> Bools:
        """The rows that hold a character with any of these traits."""
        return self.has_any(self.wide_at[self.have(trait)])

    def rows_not_in(self, form: Form) -> Bools:
        """The rows that may not be in a normalisation form: with a character that fails Unicode's quick check."""
        return self.has_any(self.wide_at[unstable(form)[self.wide_points]])

    def rows_with_irregular_spaces(self) -> Bools:
        """The rows with white space other than single spaces between words."""
        rows = self.has_any(self.wide_spaces)
        if len(self.control_spaces):
            rows |= self.has_any(self.control_spaces)
        spaces = self.ascii_spaces
        twice = find(spaces, lambda spaces: spaces[1:] & spaces[:-1], beyond=1)
        if len(twice):  # across two rows as well: such rows begin or end with a space
            rows |= self.has_any(twice)
        filled = np.flatnonzero(self.bytes)
        rows[filled] |= spaces[self.offsets[filled]] | spaces[self.offsets[filled + 1] - 1]
        return rows

    @cached_property
    def signs(self) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """ASCII's punctuation and symbols: where they stand in `data`, and which they are."""
        positions = find(self.data, _is_sign)
        return positions, self.data[positions]

    @cached_property
    def wide_at(self) -> Ints:
        """Where the characters beyond ASCII begin in `data`, rising."""
        return find(self.data, lambda data: data >= 0xC0)

    @cached_property
    def wide_points(self) -> npt.NDArray[np.int32]:
        """The code points of the characters beyond ASCII."""
        if self._is_dense:
            every = np.frombuffer(self.data.tobytes().decode().encode("utf-32-le"), np.int32)
            return every[every >= 0x80]
        return _decode_at(self.data, self.wide_at)

    @cached_property
    def wide_sizes(self) -> Ints:
        """The bytes of each character beyond ASCII: 2 to 4."""
        return _sizes(self.data[self.wide_at])

    @cached_property
    def traits(self) -> Octets:
        """The traits of the characters beyond ASCII."""
        return traits_of(self.wide_points)

    @cached_property
    def wide_spaces(self) -> Ints:
        """Where white space beyond ASCII begins, rising."""
        return self.wide_at[self.have(Trait.SPACE)]

    @cached_property
    def controls(self) -> Ints:
        """Where ASCII's control characters stand, white space among them, rising."""
        return find(self.data, _is_control)

    @cached_property
    def control_spaces(self) -> Ints:
        """Those of `controls` that are white space to Python's `str.split()`."""
        return self.controls[_is_control_space(self.data[self.controls])]

    @cached_property
    def control_signs(self) -> Ints:
        """Those of `controls` that are none."""
        return self.controls[~_is_control_space(self.data[self.controls])]

    @cached_property
    def wide_offsets(self) -> Ints:
        """Where each row begins among the characters beyond ASCII, int64 [n + 1]."""
        return np.searchsorted(self.wide_at, self.offsets)

    @cached_property
    def bytes(self) -> Ints:
        """Bytes of each row, int64 [n]."""
        return np.diff(self.offsets)

    @cached_property
    def characters(self) -> Ints:
        """Characters (code points) of each row, int64 [n]."""
        if self._is_dense:
            return self.bytes - self.count(mark(self.data, _is_continuation))
        return self.bytes - self._sum_wide(self.wide_sizes - 1)

    @property
    def _is_dense(self) -> bool:
        """Whether looking at all bytes is faster than at the characters beyond ASCII alone."""
        return len(self.wide_at) * _DENSE > len(self.data)

    @cached_property
    def points(self) -> tuple[npt.NDArray[Any], Ints]:
        """All characters as numbers (uint8 or uint32), and the offsets of the rows among them, int64 [n + 1]."""
        if not len(self.wide_at):
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
        mask = mark(self.data, _is_blank)
        mask[self.control_spaces] = True
        return mask

    @cached_property
    def spaces(self) -> Bools:
        """Which bytes belong to white space (bool [N]), that of Unicode included."""
        if not len(self.wide_spaces):
            return self.ascii_spaces
        mask = self.ascii_spaces.copy()
        self.mark_wide(mask, self.wide_spaces)
        return mask

    @cached_property
    def visible(self) -> Ints:
        """Characters of each row that are not white space, int64 [n]."""
        return self.characters - self.count(self.ascii_spaces) - self.count_at(self.wide_spaces)

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


def _is_blank(data: Octets) -> Bools:
    result: Bools = data == _SPACE
    return result


def _is_continuation(data: Octets) -> Bools:
    """Whether a byte of UTF-8 goes on with the character before."""
    result: Bools = (data & 0xC0) == 0x80
    return result


def _is_control(data: Octets) -> Bools:
    deleted: Bools = data == _DELETE
    if data.min(initial=_SPACE) < _SPACE:
        deleted |= data < _SPACE
    return deleted


def _is_control_space(controls: Octets) -> Bools:
    return ((controls >= 0x09) & (controls <= 0x0D)) | ((controls >= 0x1C) & (controls <= 0x1F))


def _sizes(lead: Octets) -> Ints:
    """The bytes of characters beyond ASCII, by the first of each."""
    return 2 + (lead >= 0xE0).astype(np.int64) + (lead >= 0xF0)


def _decode_at(data: Octets, at: Ints) -> npt.NDArray[np.int32]:
    """The code points of the characters beyond ASCII that begin at some places."""
    lead = data[at]
    points: npt.NDArray[np.int32] = ((lead & 0x1F).astype(np.int32) << 6) | _tail(data, at + 1)
    for size, bits in ((3, 0x0F), (4, 0x07)):
        longer = np.flatnonzero(lead >= (0xE0 if size == 3 else 0xF0))
        if len(longer):
            point = (lead[longer] & bits).astype(np.int32)
            for place in range(1, size):
                point = (point << 6) | _tail(data, at[longer] + place)
            points[longer] = point
    return points


def _tail(data: Octets, places: Ints) -> npt.NDArray[np.int32]:
    return (data[places] & 0x3F).astype(np.int32)


def _bytes_of(column: pa.StringArray) -> tuple[Octets, Ints]:
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = column.buffers()
    numbers = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    first, end = int(numbers[0]), int(numbers[-1])
    if first == end:
        return np.zeros(0, np.uint8), numbers - first
    return np.frombuffer(data, np.uint8)[first:end], numbers - first
