"""Texts in one buffer in, xxh3-128 of every one of them out: NumPy does the arithmetic of all rows of a length at once.

The algorithm is XXH3 of the xxHash specification (Collet; github.com/Cyan4973/xxHash) with its default secret and seed
0 for inputs of 17 to 1,024 bytes, where nearly all sentences lie; other rows, and those of a length that few have, are
hashed by the library, one by one. All sums and products are modulo 2^64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

Octets = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]
Digest = tuple[Numbers, Numbers]

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_P32_1, _P32_2, _P32_3 = (np.uint64(prime) for prime in (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D))
_P64_1, _P64_2, _P64_3 = (np.uint64(prime) for prime in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_P64_4, _P64_5, _MIX = (np.uint64(prime) for prime in (0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5, 0x165667919E3779F9))
_LANES = np.array([_P32_3, _P64_1, _P64_2, _P64_3, _P64_4, _P32_2, _P64_5, _P32_1], np.uint64)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_FEW = 64  # rows that the library hashes sooner
_ROWS = 8192  # at a time: their numbers stay in the cache


def digests(offsets: npt.NDArray[np.integer], data: Octets) -> Octets:
    """xxh3-128 of each row, as the library's `digest()` gives it: uint8, rows x 16.

    Args:
        offsets: Positions in `data` at which rows begin, and the end of the last (rows + 1).
        data: The bytes of all rows.
    """
    digest = np.empty((len(offsets) - 1, 2), ">u8")
    lengths = np.diff(offsets).astype(np.int64)
    begins = offsets[:-1].astype(np.int64)
    for rows, hash_rows in _groups(lengths):
        if hash_rows is None or len(rows) < _FEW:
            each = [
                xxhash.xxh3_128_digest(data[begins[row] : begins[row] + lengths[row]].data) for row in rows.tolist()
            ]
            digest[rows] = np.frombuffer(b"".join(each), ">u8").reshape(-1, 2)
        else:
            for part in np.split(rows, range(_ROWS, len(rows), _ROWS)):
                low, high = hash_rows(_Reader(data), begins[part], lengths[part])
                digest[part, 0], digest[part, 1] = high, low
    return digest.view(np.uint8)


def digests_of_32(rows: Octets) -> Octets:
    """The same of rows of 32 bytes each (uint8, rows x 32)."""
    digest = np.empty((len(rows), 2), ">u8")
    numbers = np.ascontiguousarray(rows).view("<u8")
    for begin in range(0, len(rows), _ROWS):
        part = numbers[begin : begin + _ROWS]
        lengths = np.full(len(part), 32)
        sums = lengths.astype(np.uint64) * _P64_1, np.zeros(len(part), np.uint64)
        low, high = _finish(_mix(sums, tuple(part.T), 0), lengths)
        digest[begin : begin + _ROWS, 0], digest[begin : begin + _ROWS, 1] = high, low
    return digest.view(np.uint8)


class _Reader:
    """Little-endian numbers of eight bytes, some in a row at any position."""

    def __init__(self, data: Octets) -> None:
        self._data = np.ascontiguousarray(data)

    def __call__(self, at: Positions, count: int) -> Numbers:
        """The `count` numbers that begin at each position: uint64, positions x count."""
        octets = 8 * count
        # As bytes without a type, which stand anywhere, NumPy copies them much faster than as numbers out of line.
        windows = np.ndarray((max(len(self._data) - octets + 1, 0),), f"V{octets}", self._data, strides=(1,))
        return windows[at].view("<u8").reshape(-1, count)


def _keys(secret: int, count: int) -> Numbers:
    """Numbers of the secret from a byte on."""
    return np.frombuffer(_SECRET, "<u8", count, secret)


_Hash = Callable[[_Reader, Positions, Positions], Digest]


def _groups(lengths: Positions) -> Iterator[tuple[Positions, _Hash | None]]:
    """Rows that take the same number of steps, and the function that takes them; None for the library."""
    kinds = np.searchsorted([17, 129, 241, 1025], lengths, side="right")
    steps = np.select(
        [kinds == 1, kinds == 2, kinds == 3], [(lengths - 1) // 32, lengths // 32, (lengths - 1) // 64], 0
    )
    order = np.argsort((kinds * 64 + steps).astype(np.uint16), kind="stable")
    keys = (kinds * 64 + steps)[order]
    for rows in np.split(order, np.flatnonzero(keys[1:] != keys[:-1]) + 1):
        if len(rows):
            kind = int(kinds[rows[0]])
            yield rows, {1: _short, 2: _middle, 3: _long}.get(kind)


def _short(read: _Reader, begins: Positions, lengths: Positions) -> Digest:
    """17 to 128 bytes, all of the same (length - 1) // 32: 32 bytes from each end a step, inwards first."""
    sums = lengths.astype(np.uint64) * _P64_1, np.zeros(len(lengths), np.uint64)
    ends = begins + lengths
    for step in range((int(lengths[0]) - 1) // 32, -1, -1):
        sums = _mix(sums, _pieces(read, begins + 16 * step, ends - 16 * (step + 1)), 32 * step)
    return _finish(sums, lengths)


def _middle(read: _Reader, begins: Positions, lengths: Positions) -> Digest:
    """129 to 240 bytes, all of the same length // 32."""
    sums = lengths.astype(np.uint64) * _P64_1, np.zeros(len(lengths), np.uint64)
    for step in range(4):
        sums = _mix(sums, _pieces(read, begins + 32 * step, begins + 32 * step + 16), 32 * step)
    sums = _avalanche(sums[0]), _avalanche(sums[1])
    for step in range(4, int(lengths[0]) // 32):
        sums = _mix(sums, _pieces(read, begins + 32 * step, begins + 32 * step + 16), 3 + 32 * (step - 4))
    ends = begins + lengths
    return _finish(_mix(sums, _pieces(read, ends - 16, ends - 32), 136 - 17 - 16), lengths)


def _long(read: _Reader, begins: Positions, lengths: Positions) -> Digest:
    """241 to 1,024 bytes, all of the same (length - 1) // 64: stripes of eight lanes."""
    lanes = np.tile(_LANES, (len(begins), 1))  # rows x 8
    stripes = (int(lengths[0]) - 1) // 64
    for at, secret in [(begins + 64 * n, 8 * n) for n in range(stripes)] + [(begins + lengths - 64, 192 - 64 - 7)]:
        values = read(at, 8)
        keyed = values ^ _keys(secret, 8)
        lanes += values[:, [1, 0, 3, 2, 5, 4, 7, 6]]
        lanes += (keyed & _LOW) * (keyed >> _HALF)
    size = lengths.astype(np.uint64)
    return _merge(lanes, 11, size * _P64_1), _merge(lanes, 192 - 64 - 11, ~(size * _P64_2))


def _merge(lanes: Numbers, secret: int, start: Numbers) -> Numbers:
    total = start.copy()
    keys = _keys(secret, 8)
    for lane in range(0, 8, 2):
        total += _fold(lanes[:, lane] ^ keys[lane], lanes[:, lane + 1] ^ keys[lane + 1])
    return _avalanche(total)


def _pieces(read: _Reader, first: Positions, second: Positions) -> Sequence[Numbers]:
    """16 bytes at `first` and 16 at `second`, as four numbers."""
    return *read(first, 2).T, *read(second, 2).T


def _mix(sums: Digest, pieces: Sequence[Numbers], secret: int) -> Digest:
    """Both sums with 32 bytes mixed in."""
    a, b, c, d = pieces
    keys = _keys(secret, 4)
    low = (sums[0] + _fold(a ^ keys[0], b ^ keys[1])) ^ (c + d)
    high = (sums[1] + _fold(c ^ keys[2], d ^ keys[3])) ^ (a + b)
    return low, high


def _finish(sums: Digest, lengths: Positions) -> Digest:
    low, high = sums
    mixed = low * _P64_1 + high * _P64_4 + lengths.astype(np.uint64) * _P64_2
    return _avalanche(low + high), -_avalanche(mixed)


def _fold(a: Numbers, b: Numbers) -> Numbers:
    """The lower half of the 128 bits of a product, combined with the upper one by exclusive or."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    inner = a_high * b_low
    cross = (a_low * b_low >> _HALF) + (inner & _LOW) + a_low * b_high
    folded: Numbers = (a_high * b_high + (inner >> _HALF) + (cross >> _HALF)) ^ (a * b)
    return folded


def _avalanche(numbers: Numbers) -> Numbers:
    mixed = (numbers ^ (numbers >> np.uint64(37))) * _MIX
    result: Numbers = mixed ^ (mixed >> _HALF)
    return result
