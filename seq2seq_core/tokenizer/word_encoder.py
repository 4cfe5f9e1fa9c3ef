"""A model's facts and its way to encode whole texts in; the same ids by encoding each distinct word once out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.tokenizer.margins import Margins, doubtful_rows
from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, PieceKind
from seq2seq_core.tokenizer.words import MARK, KnownWords, cut_rows, has_independent_words, longest_cut, whole_rows


class WordEncoder:
    """Encodes columns word by word where that gives a row's very pieces (`tokenizer.words`), else row by row.

    Words of a unigram model whose scores are too fine for exact sums are looked at one by one: a row stays whole where
    rounding might decide how one of its words is cut (`tokenizer.margins`).
    """

    def __init__(self, facts: ModelFacts, encode_each: Callable[[pa.StringArray], pa.ListArray]) -> None:
        self._encode_each = encode_each
        self._longest = longest_cut(facts)
        self._margins = None if self._longest else _margins(facts)
        if self._margins:
            self._longest = sys.maxsize
        self._known = KnownWords(self._learn)

    def encode(self, texts: pa.StringArray) -> pa.ListArray:
        """Piece ids of each text (without nulls)."""
        if not self._longest:
            return self._encode_each(texts)
        whole = whole_rows(texts, self._longest)
        found, doubtful = self._encode_words(texts.filter(pa.array(~whole)) if whole.any() else texts)
        if doubtful.any():
            found = found.filter(pa.array(~doubtful))
            whole[np.flatnonzero(~whole)[doubtful]] = True
        if not whole.any():
            return found
        return _interleaved(found, self._encode_each(texts.filter(pa.array(whole))), whole)

    def _encode_words(self, texts: pa.StringArray) -> tuple[pa.ListArray, npt.NDArray[np.bool_]]:
        """The same of rows that may be cut, and which of them had better not have been."""
        words, rows = cut_rows(texts)
        distinct = words.dictionary_encode()
        known = self._known.look_up(pc.utf8_rtrim(distinct.dictionary, " "))
        pieces = known.field("pieces").take(distinct.indices)
        found = pa.ListArray.from_arrays(pieces.offsets.take(pa.array(rows)), pieces.values, type=pieces.type)
        if self._margins is None:
            return found, np.zeros(len(texts), np.bool_)
        measures = [known.field(name).to_numpy()[distinct.indices] for name in ("margin", "score", "letters")]
        return found, doubtful_rows(measures[0], measures[1], measures[2], rows[:-1])

    def _learn(self, words: pa.StringArray) -> pa.StructArray:
        """What is remembered of words."""
        columns = {"pieces": self._encode_each(words)}
        if self._margins is not None:
            columns |= dict(
                zip(("margin", "score", "letters"), map(pa.array, self._margins.measure(words)), strict=True)
            )
        return pa.StructArray.from_arrays(list(columns.values()), list(columns))


def _interleaved(column: pa.ListArray, others: pa.ListArray, is_other: npt.NDArray[np.bool_]) -> pa.ListArray:
    """The rows of two columns in one, each in its order. The others should be few, or in few runs."""
    parts, taken = [], {False: 0, True: 0}
    ends = [*(np.flatnonzero(is_other[1:] != is_other[:-1]) + 1), len(is_other)]
    for begin, end in itertools.pairwise([0, *ends]):
        kind = bool(is_other[begin])
        parts.append((others if kind else column).slice(taken[kind], end - begin))
        taken[kind] += end - begin
    return pa.concat_arrays(parts)


def _margins(facts: ModelFacts) -> Margins | None:
    """The margins of a unigram model of ordinary scores, logarithms of probabilities; of others nothing is known."""
    pieces = [piece for piece in facts.pieces if piece.kind == PieceKind.NORMAL]
    if facts.type != ModelType.UNIGRAM or not has_independent_words(facts):
        return None
    return Margins(pieces, MARK) if all(piece.score <= 0 for piece in pieces) else None
