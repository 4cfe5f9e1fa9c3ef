"""A serialized SentencePiece model in; the facts that decide how it cuts a text, or the model with other scores, out.

The few fields needed are read from the protocol buffer's wire format itself: the classes that sentencepiece ships for
it ask for a newer protobuf than Beam allows.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE_TEXT, _PIECE_SCORE, _PIECE_KIND = 1, 2, 3
_USUAL_BEGIN, _USUAL_SCORE = 0x0A, 0x15  # keys of a text and a score: most pieces have just these, in this order
_MODEL_TYPE, _SPACE_AS_SUFFIX = 3, 24
_FLOAT = struct.Struct("<f")
_RULES, _DUMMY_PREFIX, _ESCAPE_SPACES = 2, 3, 5


class ModelType(IntEnum):
    """The kinds of model whose words are known to be independent; there are others."""

    UNIGRAM = 1
    BPE = 2


class PieceKind(IntEnum):
    """What a piece stands for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Piece(NamedTuple):
    """One entry of a vocabulary.

    Attributes:
        text: What it spells, U+2581 for a space.
        score: Its log probability (unigram) or minus its rank (BPE); a float32.
        kind: A `PieceKind`.
    """

    text: str
    score: float
    kind: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What of a model decides whether its words can be encoded one by one.

    Attributes:
        type: A `ModelType`, or another number.
        pieces: The vocabulary.
        rewrites: Whether it normalises, by anything but the identity.
        dummy_prefix: Whether a space is put before the text.
        escapes_spaces: Whether spaces become U+2581.
        space_as_suffix: Whether a word's boundary mark stands behind it.
    """

    type: int
    pieces: tuple[Piece, ...]
    rewrites: bool
    dummy_prefix: bool
    escapes_spaces: bool
    space_as_suffix: bool


@functools.lru_cache(maxsize=4)
def read_facts(data: bytes) -> ModelFacts:
    """The facts of a model; `data` is one that SentencePiece could load."""
    trainer: dict[int, int] = {}
    normalizer: dict[int, int] = {}
    pieces = []
    for field, _, begin, end in _fields(data, 0, len(data)):
        if field == _PIECES:
            pieces.append(_piece(data, begin, end))
        elif field == _TRAINER:
            trainer |= {inner: number for inner, number, _, _ in _fields(data, begin, end)}
        elif field == _NORMALIZER:
            normalizer |= {inner: number for inner, number, _, _ in _fields(data, begin, end)}
    return ModelFacts(
        type=trainer.get(_MODEL_TYPE, ModelType.UNIGRAM),
        pieces=tuple(pieces),
        rewrites=normalizer.get(_RULES, 0) > 0,
        dummy_prefix=normalizer.get(_DUMMY_PREFIX, 1) > 0,
        escapes_spaces=normalizer.get(_ESCAPE_SPACES, 1) > 0,
        space_as_suffix=trainer.get(_SPACE_AS_SUFFIX, 0) > 0,
    )


def round_scores(data: bytes, step: float) -> bytes:
    """The same model with every score rounded to the nearest multiple of `step`, a power of two."""
    model = bytearray(data)
    for field, _, begin, end in _fields(data, 0, len(data)):
        if field == _PIECES:
            for inner, _, at, _ in _fields(data, begin, end):
                if inner == _PIECE_SCORE:
                    (score,) = _FLOAT.unpack_from(data, at)
                    _FLOAT.pack_into(model, at, np.rint(score / step) * step)  # keeps the sign of -0.0
    return bytes(model)


def _piece(data: bytes, begin: int, end: int) -> Piece:
    if data[begin] == _USUAL_BEGIN and data[begin + 1] == end - begin - 7 and data[end - 5] == _USUAL_SCORE:
        (score,) = _FLOAT.unpack_from(data, end - 4)
        return Piece(data[begin + 2 : end - 5].decode(errors="replace"), score, PieceKind.NORMAL)
    text, score, kind = "", 0.0, int(PieceKind.NORMAL)
    for field, number, at, stop in _fields(data, begin, end):
        if field == _PIECE_TEXT:
            text = data[at:stop].decode(errors="replace")
        elif field == _PIECE_SCORE:
            (score,) = _FLOAT.unpack_from(data, at)
        elif field == _PIECE_KIND:
            kind = number
    return Piece(text, score, kind)


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Each field of a message: its number, its value (an integer's; the size in bytes of all else), its first byte
    and the byte behind it."""
    while at < end:
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, stop = _varint(data, at)
        elif key & 7 == 2:
            value, at = _varint(data, at)
            stop = at + value
        else:
            value = 4 if key & 7 == 5 else 8
            stop = at + value
        yield key >> 3, value, at, stop
        at = stop


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the position behind it."""
    value = shift = 0
    while data[at] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1
