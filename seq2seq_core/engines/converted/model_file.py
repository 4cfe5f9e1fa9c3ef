"""The weights of a model that was converted for CTranslate2 in; its kind, and the positions it knows, out.

    version (uint32), kind, revision (uint32), number of variables (uint32), then each variable:
    name, rank (uint8), dimensions (uint32 each), type (uint8), bytes (uint32), data

A name is its length with the zero at its end (uint16), its characters, and the zero; numbers are little-endian.
"""

from __future__ import annotations

import struct
from typing import IO

from seq2seq_core import storage

WEIGHTS = "model.bin"

_HEADER, _COUNTS = struct.Struct("<IH"), struct.Struct("<II")
_LENGTH, _BYTE, _NUMBER = struct.Struct("<H"), struct.Struct("<B"), struct.Struct("<I")
_LONGEST_NAME = 100
_MOST_DIMENSIONS = 8
_POSITIONS = "/position_encodings/encodings"


def kind_of(root: str) -> str | None:
    """The kind of model that the weights begin with; None where there are none, or they are not CTranslate2's."""
    if WEIGHTS not in storage.sizes_in(root):
        return None
    with storage.open_input(storage.join(root, WEIGHTS)) as file:
        return _kind(file)


def positions_of(root: str) -> int | None:
    """Most tokens of a source or target; None where positions have no table. The weights are CTranslate2's."""
    try:
        with storage.open_input(storage.join(root, WEIGHTS)) as file:
            _kind(file)
            _, count = _COUNTS.unpack(file.read(_COUNTS.size))
            return next((shape[0] for name, shape in (_variable(file) for _ in range(count)) if _is_table(name)), None)
    except (struct.error, ValueError):  # the library will say what is wrong with it
        return None


def _is_table(name: str) -> bool:
    return name.endswith(_POSITIONS)


def _kind(file: IO[bytes]) -> str | None:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    _, length = _HEADER.unpack(header)
    name = file.read(min(length, _LONGEST_NAME))
    text = name[:-1].decode("ascii", "replace")
    return text if name.endswith(b"\0") and text.isidentifier() else None


def _variable(file: IO[bytes]) -> tuple[str, list[int]]:
    """Name and shape of the next one, which is passed over."""
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    name = file.read(length)[:-1].decode("utf-8", "replace")
    (rank,) = _BYTE.unpack(file.read(1))
    if rank > _MOST_DIMENSIONS:
        raise ValueError(f"{rank} dimensions")
    shape = [_NUMBER.unpack(file.read(_NUMBER.size))[0] for _ in range(rank)]
    file.read(1)
    (size,) = _NUMBER.unpack(file.read(_NUMBER.size))
    file.seek(size, 1)
    return name, shape
