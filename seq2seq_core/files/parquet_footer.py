"""An open Parquet file in; the bytes of its footer, and the number of rows and the places of columns it tells, out.

Offsets are read out of the footer here: `ColumnChunkMetaData` ends the process on some damaged footers (pyarrow 25).
The format is Thrift's compact protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md, with the fields of
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Callable
from operator import index
from typing import Any

import pyarrow.parquet as pq

from seq2seq_core.files.seal import Stored

_ROW_GROUPS, _CREATED_BY, _COLUMNS, _META_DATA = 4, 6, 1, 3
_COMPRESSED_BYTES, _DATA_OFFSET, _DICTIONARY_OFFSET = 7, 9, 11
_END_BYTES = 8
_OLD_WRITER, _MENDED, _MARGIN_BYTES = b"parquet-mr", (1, 2, 9), 100
_VERSION = re.compile(rb"parquet-mr version (\d{1,9})\.(\d{1,9})\.(\d{1,9})")

_TRUE, _FALSE = 1, 2


def read_footer(stored: Stored, size: int) -> bytes:
    """The footer with its length and the mark behind it; what there is of it where the file is none of Parquet."""
    stored.seek(max(0, size - _END_BYTES))
    end = stored.read(_END_BYTES)
    length = int.from_bytes(end[:4], "little") + _END_BYTES
    if length > size:
        return end
    stored.seek(size - length)
    return stored.read(length)


@functools.lru_cache(maxsize=4)
def column_spans(footer: bytes, size: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Begin and end of the bytes of every column, the leaves of nested ones, in every row group of a file.

    Args:
        footer: As `read_footer` gives it.
        size: Of the file in bytes.

    Raises:
        EOFError: The footer is damaged.
    """
    try:
        meta = _Compact(footer[:-_END_BYTES]).struct()
        margin = _margin(meta.get(_CREATED_BY, b""))
        groups = tuple(
            tuple(_extent(chunk[_META_DATA], margin, size) for chunk in group[_COLUMNS])
            for group in meta.get(_ROW_GROUPS, [])
        )
    except (LookupError, TypeError, AttributeError, RecursionError, struct.error):
        raise EOFError("the footer cannot be read") from None
    if any(not 0 <= begin <= end <= size for group in groups for begin, end in group):
        raise EOFError("a column stands outside the file")
    return groups


def row_counts(metadata: pq.FileMetaData) -> list[int]:
    """The number of rows of every row group; an EOFError when they cannot be right."""
    counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    if sum(counts) != metadata.num_rows or min(counts, default=0) < 0:
        raise EOFError(f"{sum(counts)} rows in row groups, {metadata.num_rows} in all")
    return counts


def row_group_spans(footer: bytes, size: int) -> list[tuple[int, int]]:
    """Begin and end of the bytes of every row group; see `column_spans`."""
    groups = column_spans(footer, size)
    return [(min((b for b, _ in spans), default=0), max((e for _, e in spans), default=0)) for spans in groups]


def _extent(column: dict[int, Any], margin: int, size: int) -> tuple[int, int]:
    begin, dictionary = index(column[_DATA_OFFSET]), index(column.get(_DICTIONARY_OFFSET, 0))
    begin = min(begin, dictionary) if dictionary > 0 else begin
    end = begin + index(column[_COMPRESSED_BYTES])
    return begin, min(size, end + margin) if end <= size else end


def _margin(writer: bytes) -> int:
    """How much more of a column readers take: old writers left out the header of its dictionary (PARQUET-816)."""
    if not writer.startswith(_OLD_WRITER):
        return 0
    version = _VERSION.match(writer)
    return 0 if version and tuple(map(int, version.groups())) >= _MENDED else _MARGIN_BYTES


class _Compact:
    """Structs of Thrift's compact protocol, as their values by the numbers of the fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def struct(self) -> dict[int, Any]:
        found: dict[int, Any] = {}
        number = 0
        while head := self.byte():
            kind, step = head & 15, head >> 4
            number = number + step if step else self.integer()
            # A field's type says what a truth value is; an element of a list is a byte.
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        return _READERS[kind](self)

    def sequence(self) -> list[Any]:
        head = self.byte()
        count = head >> 4 if head < 0xF0 else self._length()
        return [self._value(head & 15) for _ in range(count)]

    def pairs(self) -> list[tuple[Any, Any]]:
        count = self._length()
        kinds = self.byte() if count else 0
        return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(count)]

    def integer(self) -> int:
        value = self._length()
        return (value >> 1) ^ -(value & 1)

    def double(self) -> float:
        return float(struct.unpack("<d", self._bytes(8))[0])

    def binary(self) -> bytes:
        return self._bytes(self._length())

    def byte(self) -> int:
        value = self._data[self._place]
        self._place += 1
        return value

    def _bytes(self, count: int) -> bytes:
        self._place += count
        if self._place > len(self._data):
            raise IndexError("beyond the end")
        return self._data[self._place - count : self._place]

    def _length(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7


_READERS: dict[int, Callable[[_Compact], Any]] = {
    1: _Compact.byte,
    2: _Compact.byte,
    3: _Compact.byte,
    4: _Compact.integer,
    5: _Compact.integer,
    6: _Compact.integer,
    7: _Compact.double,
    8: _Compact.binary,
    9: _Compact.sequence,
    10: _Compact.sequence,
    11: _Compact.pairs,
    12: _Compact.struct,
}
"""How a value is read, by the number of its type."""
