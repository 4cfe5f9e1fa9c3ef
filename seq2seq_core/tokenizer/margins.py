"""Words in; by how much the best cut of each into the pieces of a unigram model beats the second best out.

SentencePiece adds up scores along a row in 32 bit floating point. The sum of k scores that is never above S in size is
off by at most k S 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2), and as rounding keeps
the order of numbers, what it finds is at most two such errors worse than the best cut. A row where every word's best
cut beats the second best by more is therefore cut in that way, whatever stands before the word.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.tokenizer.proto import Piece
from seq2seq_core.tokenizer.tree import ROOT, LetterTree, letters_of

Values = npt.NDArray[np.float64]

_DOUBT = 2.0**-22  # twice what two errors make, for each letter and unit of the row's score
_LONGEST_WORD = 40


def doubtful_rows(
    margins: Values, scores: Values, letters: npt.NDArray[np.int64], begins: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which rows rounding might cut in another way.

    Args:
        margins: Of each word, the score of the best cut less that of the second best.
        scores: Of each word, the score of the best cut: not above 0.
        letters: The number of characters of each word, the mark before it included.
        begins: The position of each row's first word; every row has one.
    """
    size = -np.add.reduceat(scores, begins)
    doubtful: npt.NDArray[np.bool_] = np.minimum.reduceat(margins, begins) <= _DOUBT * size * np.add.reduceat(
        letters, begins
    )
    return doubtful


class Margins:
    """The pieces of a model as a tree of letters, and the margins of words under it."""

    def __init__(self, pieces: Sequence[Piece], mark: str) -> None:
        self._mark = mark
        self._tree = LetterTree(piece.text for piece in pieces)
        self._scores = np.array([*(piece.score for piece in pieces), np.nan])[self._tree.pieces]

    def measure(self, words: pa.StringArray) -> tuple[Values, Values, npt.NDArray[np.int64]]:
        """Margin, score of the best cut, and letters of each word (see `doubtful_rows`).

        The margin is infinite where there is one cut, and 0 where there is none or the word is very long.
        """
        letters = pc.utf8_length(words).to_numpy().astype(np.int64) + 1
        short = letters <= _LONGEST_WORD
        margins, scores = np.zeros(len(words)), np.zeros(len(words))
        best, second = self._two_best(words.filter(pa.array(short)), letters[short])
        scores[short] = np.where(np.isfinite(best), best, 0.0)
        margins[short] = np.where(np.isfinite(best), best - np.where(np.isfinite(best), second, 0.0), 0.0)
        return margins, scores, letters

    def _two_best(self, words: pa.StringArray, letters: npt.NDArray[np.int64]) -> tuple[Values, Values]:
        """The scores of the best and the second best cut of each word; minus infinity where there is none."""
        text, _ = letters_of(pc.binary_join_element_wise(self._mark, words, ""))
        width = text.shape[1]
        best, second = np.full((2, len(words), width + 1), -np.inf)
        best[:, 0] = 0.0
        for begin in range(width):
            rows = np.flatnonzero((letters > begin) & np.isfinite(best[:, begin]))
            states = np.full(len(rows), ROOT)
            for end in range(begin + 1, width + 1):
                rows, states = self._tree.step(rows, states, text[rows, end - 1])
                if not len(rows):
                    break
                ends = np.flatnonzero(np.isfinite(self._scores[states]))
                _add(best, second, rows[ends], (begin, end), self._scores[states[ends]])
        rows = np.arange(len(words))
        return best[rows, letters], second[rows, letters]


def _add(best: Values, second: Values, rows: npt.NDArray[np.int64], piece: tuple[int, int], scores: Values) -> None:
    """Let the cuts that end with a piece, from one position to another, compete with those found before."""
    begin, end = piece
    first = best[rows, begin] + scores
    beaten = np.minimum(best[rows, end], first)
    second[rows, end] = np.maximum.reduce([second[rows, end], beaten, second[rows, begin] + scores])
    best[rows, end] = np.maximum(best[rows, end], first)
