"""A column of texts in, its words and which row holds which out: encoding word by word gives a row's very pieces.

SentencePiece puts the mark U+2581 in place of every space and one before the text. Where no piece goes on from another
character to a mark, what stands before a mark cannot change how the rest is cut, so a row may be cut at its spaces and
each distinct word encoded once. What could still make a difference:

- other normalisation, other places of the mark and pieces with rules of their own: such models' rows stay whole;
- spaces at the ends of a row, runs of them, and the mark itself as a character: such rows stay whole (`whole_rows`);
- rounding: a unigram model adds up scores from the start of the row in 32 bit floating point, so among segmentations
  of equal or almost equal probability ("..." as ". .." or ".. .") what stands before a word can decide. Scores that are
  multiples of `SCORE_STEP` have exact sums up to a limit, so no such thing can happen; trained models have them. Of
  others the rows stay whole in which it might happen (`tokenizer.margins`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, PieceKind

MARK = "\u2581"
SCORE_STEP = 2.0**-8
"""What trained unigram scores are multiples of: a probability changes by at most 0.2 percent."""

_EXACT_INTEGERS = 1 << 24  # of a float32
_UNKNOWN_PENALTY = 10.0  # an unknown character scores this much less than the worst piece
_SPACE = ord(" ")
_MARK = MARK.encode()
_MOST_WORDS = 1 << 17
_MOST_WORD_BYTES = 8 << 20


def has_independent_words(facts: ModelFacts) -> bool:
    """Whether nothing but rounding can make what stands before a word change how it is cut."""
    if facts.rewrites or not facts.dummy_prefix or not facts.escapes_spaces or facts.space_as_suffix:
        return False
    if any(piece.kind in (PieceKind.USER_DEFINED, PieceKind.UNUSED) for piece in facts.pieces):
        return False
    texts = {piece.text for piece in facts.pieces if piece.kind == PieceKind.NORMAL}
    # With the mark alone a piece, no word begins with the unknown one, which would merge with one before it.
    return MARK in texts and not any(MARK in text.lstrip(MARK) for text in texts)


def longest_cut(facts: ModelFacts) -> int:
    """The longest row, in bytes of UTF-8, whose words may be encoded one by one; 0 where that depends on the words."""
    if not has_independent_words(facts):
        return 0
    if facts.type == ModelType.BPE:
        return sys.maxsize
    scores = [piece.score for piece in facts.pieces if piece.kind == PieceKind.NORMAL]
    return _longest_exact_sum(scores) if facts.type == ModelType.UNIGRAM else 0


def _longest_exact_sum(scores: list[float]) -> int:
    """The longest row within which no sum of unigram scores is ever rounded; 0 where single scores are too fine.

    The best path to a character is no worse than one that spells every character before it as unknown.
    """
    if any(score % SCORE_STEP for score in scores):
        return 0
    largest = max(_UNKNOWN_PENALTY - min(scores), *scores)
    return max(int(_EXACT_INTEGERS * SCORE_STEP / largest) - 1, 0)  # one for the mark before the text


def whole_rows(texts: pa.StringArray, longest: int) -> npt.NDArray[np.bool_]:
    """Which rows (without nulls) may not be cut at their spaces: those of other than single spaces between words.

    Rows that hold the mark, are empty or have more than `longest` bytes are among them.
    """
    offsets, data = _buffers(texts)
    lengths = np.diff(offsets)
    whole: npt.NDArray[np.bool_] = (lengths == 0) | (lengths > longest)
    spaces: npt.NDArray[np.bool_] = np.zeros(len(data) + 1, np.bool_)
    np.equal(data, _SPACE, out=spaces[:-1])
    whole |= spaces[offsets[:-1]] | spaces[offsets[1:] - 1]
    double = np.flatnonzero(spaces[1:] & spaces[:-1])
    whole[np.searchsorted(offsets, double, side="right") - 1] = True
    if _holds_mark(data):
        whole |= pc.match_substring(texts, MARK).to_numpy(zero_copy_only=False)
    return whole


def cut_rows(texts: pa.StringArray) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
    """Cut each row behind its spaces.

    Args:
        texts: Rows that may be cut (see `whole_rows`).

    Returns:
        The words of all rows, one after another, each but the last of a row with the space behind it, and the
        positions (rows + 1) at which a row's words begin. The words share the bytes of the rows.
    """
    offsets, data = _buffers(texts)
    begin: npt.NDArray[np.bool_] = np.empty(len(data) + 1, np.bool_)
    np.equal(data, _SPACE, out=begin[1:])
    begin[offsets] = True
    begins = np.flatnonzero(begin).astype(np.int32)
    words = pa.StringArray.from_buffers(len(begins) - 1, pa.py_buffer(begins), pa.py_buffer(data))
    return words, np.searchsorted(begins, offsets)


def _holds_mark(data: npt.NDArray[np.uint8]) -> bool:
    """Whether the mark stands in some UTF-8: comparing all bytes with its first one is faster than a search."""
    places = np.flatnonzero(data[: max(len(data) - 2, 0)] == _MARK[0])
    return bool(((data[places + 1] == _MARK[1]) & (data[places + 2] == _MARK[2])).any())


def _buffers(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """The bytes of a column and the positions (rows + 1) at which its rows begin."""
    _, positions, data = texts.buffers()
    if not len(texts) or data is None:
        return np.zeros(len(texts) + 1, np.int32), np.empty(0, np.uint8)
    offsets = np.frombuffer(positions, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return offsets - offsets[0], np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]


class KnownWords:
    """What is known of words, each asked for once: the words met first, which are the frequent ones, are remembered.

    Threads may share it: what is remembered is replaced as a whole.
    """

    def __init__(self, learn: Callable[[pa.StringArray], pa.Array]) -> None:
        self._learn = learn
        self._memory: tuple[pa.StringArray, pa.Array] | None = None

    def look_up(self, words: pa.StringArray) -> pa.Array:
        """What `learn` says of each word."""
        known, facts = self._memory or (words[:0], self._learn(words[:0]))
        places = pc.index_in(words, value_set=known)
        if places.null_count:
            missing = words.filter(places.is_null())
            new = missing.unique()
            found = pc.add(pc.index_in(missing, value_set=new), pa.scalar(len(known), pa.int32()))
            places = pc.replace_with_mask(places, places.is_null(), found)
            known, facts = pa.concat_arrays([known, new]), pa.concat_arrays([facts, self._learn(new)])
            if len(known) <= _MOST_WORDS and known.nbytes <= _MOST_WORD_BYTES:
                self._memory = known, facts
        return facts.take(places)
