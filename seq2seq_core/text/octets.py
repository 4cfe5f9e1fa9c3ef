"""Bytes of UTF-8 in, what each is, and the code points they stand for, out; and the types of these arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Octets = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SPACE = 0x20
_DELETE = 0x7F


def is_letter(data: Octets) -> Bools:
    """Which bytes are letters of ASCII."""
    result: Bools = ((data | 0x20) - np.uint8(ord("a"))) < 26
    return result


def is_digit(data: Octets) -> Bools:
    """Which bytes are digits of ASCII."""
    result: Bools = (data - np.uint8(ord("0"))) < 10
    return result


def is_sign(data: Octets) -> Bools:
    """Which bytes are punctuation and symbols of ASCII."""
    is_printable: Bools = (data - np.uint8(0x21)) < 0x5E
    return is_printable & ~(is_letter(data) | is_digit(data))


def is_blank(data: Octets) -> Bools:
    """Which bytes are spaces."""
    result: Bools = data == SPACE
    return result


def is_continuation(data: Octets) -> Bools:
    """Whether a byte of UTF-8 goes on with the character before."""
    result: Bools = (data & 0xC0) == 0x80
    return result


def is_control(data: Octets) -> Bools:
    """Which bytes are control characters of ASCII, white space among them."""
    deleted: Bools = data == _DELETE
    if data.min(initial=SPACE) < SPACE:
        deleted |= data < SPACE
    return deleted


def is_control_space(controls: Octets) -> Bools:
    """Which control characters are white space to Python's `str.split()`."""
    return ((controls >= 0x09) & (controls <= 0x0D)) | ((controls >= 0x1C) & (controls <= 0x1F))


def sizes_of(lead: Octets) -> Octets:
    """The bytes of characters beyond ASCII, by the first of each."""
    return np.uint8(2) + (lead >= 0xE0) + (lead >= 0xF0)


def decode_at(data: Octets, at: Ints) -> npt.NDArray[np.int32]:
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


def bytes_of(column: pa.StringArray) -> tuple[Octets, Ints]:
    """The bytes of all texts (string or large_string, no nulls), and where each begins among them and the last ends."""
    kind = np.int64 if pa.types.is_large_string(column.type) else np.int32
    if not len(column):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = column.buffers()
    numbers = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    first, end = int(numbers[0]), int(numbers[-1])
    if first == end:
        return np.zeros(0, np.uint8), numbers - first
    return np.frombuffer(data, np.uint8)[first:end], numbers - first
