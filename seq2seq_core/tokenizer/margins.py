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

Values = npt.NDArray[np.float64]

_DOUBT = 2.0**-22  # twice what two errors make, for each letter and unit of the row's score
_LONGEST_WORD = 40
_LETTER_BITS = 21
_ROOT = 0


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
        edges: dict[tuple[int, int], int] = {}
        scores: dict[int, float] = {}
        for piece in pieces:
            state = _ROOT
            for letter in map(ord, piece.text):
                state = edges.setdefault((state, letter), len(edges) + 1)
            scores[state] = piece.score
        keys = np.array([state << _LETTER_BITS | letter for state, letter in edges], np.int64)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._next = np.array(list(edges.values()), np.int64)[order]
        self._scores = np.full(len(edges) + 1, np.nan)
        self._scores[list(scores)] = list(scores.values())

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
        width = int(letters.max(initial=1))
        text = np.zeros((len(words), width), np.int64)  # the letters of words, 0 behind them
        joined = "".join(self._mark + word for word in words.to_pylist())
        text[np.arange(width) < letters[:, None]] = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
        best, second = np.full((2, len(words), width + 1), -np.inf)
        best[:, 0] = 0.0
        for begin in range(width):
            rows = np.flatnonzero((letters > begin) & np.isfinite(best[:, begin]))
            states = np.full(len(rows), _ROOT)
            for end in range(begin + 1, width + 1):
                rows, states = self._step(rows, states, text[rows, end - 1])
                if not len(rows):
                    break
                ends = np.flatnonzero(np.isfinite(self._scores[states]))
                _add(best, second, rows[ends], (begin, end), self._scores[states[ends]])
        rows = np.arange(len(words))
        return best[rows, letters], second[rows, letters]

    def _step(
        self, rows: npt.NDArray[np.int64], states: npt.NDArray[np.int64], letters: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The rows for which the tree goes on with a letter, and where to."""
        keys = states << _LETTER_BITS | letters
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[places] == keys
        return rows[found], self._next[places[found]]


def _add(best: Values, second: Values, rows: npt.NDArray[np.int64], piece: tuple[int, int], scores: Values) -> None:
    """Let the cuts that end with a piece, from one position to another, compete with those found before."""
    begin, end = piece
    first = best[rows, begin] + scores
    beaten = np.minimum(best[rows, end], first)
    second[rows, end] = np.maximum.reduce([second[rows, end], beaten, second[rows, begin] + scores])
    best[rows, end] = np.maximum(best[rows, end], first)
