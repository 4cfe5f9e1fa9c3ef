"""A column of texts in, its words and which row holds which out: encoding word by word gives a row's very pieces.

SentencePiece puts the mark U+2581 in place of every space and one before the text. Where no piece goes on from another
character to a mark, what stands before a mark cannot change how the rest is cut, so a row may be cut at its spaces and
each distinct word encoded once. What could still make a difference:

- other normalisation, other places of the mark and pieces with rules of their own: such models' rows stay whole;
- white space at the ends of a row, and runs of it: they stay with the word beside them (`cut_rows`);
- rounding: a unigram model adds up scores from the start of the row in 32 bit floating point, so among segmentations
  of equal or almost equal probability ("..." as ". .." or ".. .") what stands before a word can decide. Scores that are
  multiples of `SCORE_STEP` have exact sums up to a limit, so no such thing can happen; trained models have them, and
  of others the rows stay whole.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, PieceKind

MARK = "\u2581"
SCORE_STEP = 2.0**-8
"""What trained unigram scores are multiples of: a probability changes by at most 0.2 percent."""

_EXACT_INTEGERS = 1 << 24  # of a float32
_UNKNOWN_PENALTY = 10.0  # an unknown character scores this much less than the worst piece
_SPACE = ord(" ")
_MARK = MARK.encode()


def longest_cut(facts: ModelFacts) -> int:
    """The longest row, in bytes of UTF-8, whose words may be encoded one by one; 0 where none may."""
    if facts.rewrites or not facts.dummy_prefix or not facts.escapes_spaces or facts.space_as_suffix:
        return 0
    if any(piece.kind in (PieceKind.USER_DEFINED, PieceKind.UNUSED) for piece in facts.pieces):
        return 0
    normal = [piece for piece in facts.pieces if piece.kind == PieceKind.NORMAL]
    texts = {piece.text for piece in normal}
    # With the mark alone a piece, no word begins with the unknown one, which would merge with one before it.
    if MARK not in texts or any(MARK in text.lstrip(MARK) for text in texts):
        return 0
    if facts.type == ModelType.BPE:
        return sys.maxsize
    return _longest_exact_sum([piece.score for piece in normal]) if facts.type == ModelType.UNIGRAM else 0


def _longest_exact_sum(scores: list[float]) -> int:
    """The longest row within which no sum of unigram scores is ever rounded; 0 where single scores are too fine.

    The best path to a character is no worse than one that spells every character before it as unknown.
    """
    if any(score % SCORE_STEP for score in scores):
        return 0
    largest = max(_UNKNOWN_PENALTY - min(scores), *scores)
    return max(int(_EXACT_INTEGERS * SCORE_STEP / largest) - 1, 0)  # one for the mark before the text


def cut_rows(texts: pa.StringArray, longest: int) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
    """Cut each row at its spaces.

    A space parts two words, and belongs to none, where another character than a space or the mark stands before it and
    anything behind it. All other white space is part of a word.

    Args:
        texts: The rows, without nulls.
        longest: Rows of more bytes than this stay whole.

    Returns:
        The words of all rows, one after another, and the positions (rows + 1) at which a row's words begin.
    """
    offsets, data = _buffers(texts)
    cuts = _cuts(offsets, data, longest)
    cuts_before = np.searchsorted(cuts, offsets)
    rows = np.arange(len(offsets)) + cuts_before
    # Without the spaces that part them, the words lie one after another as the rows did.
    begins = np.delete(np.arange(len(offsets) + len(cuts)), rows)
    positions = np.empty(len(offsets) + len(cuts), np.int32)
    positions[rows] = offsets - cuts_before
    positions[begins] = cuts - np.arange(len(cuts))
    words = pa.StringArray.from_buffers(
        len(positions) - 1, pa.py_buffer(positions), pa.py_buffer(np.delete(data, cuts))
    )
    return words, rows


def _buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """The bytes of a column and the positions (rows + 1) at which its rows begin."""
    _, positions, data = texts.buffers()
    if not len(texts):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    offsets = np.frombuffer(positions, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return offsets - offsets[0], held[offsets[0] : offsets[-1]]


def _cuts(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], longest: int) -> npt.NDArray[np.int64]:
    """Positions in `data` of the spaces that part two words, ascending."""
    edge = np.zeros(len(data) + 1, np.bool_)
    edge[offsets] = True
    at: npt.NDArray[np.int64] = np.flatnonzero(data == _SPACE)
    at = at[~(edge[at] | edge[at + 1])]
    at = at[data[at - 1] != _SPACE]
    at = at[(data[at - 1] != _MARK[2]) | (data[at - 2] != _MARK[1]) | (data[at - 3] != _MARK[0])]
    lengths = np.diff(offsets)
    if lengths.max(initial=0) > longest:
        at = at[np.repeat(lengths <= longest, np.diff(np.searchsorted(at, offsets)))]
    return at
