"""Texts of pieces in; a tree of their letters, walked for many words at once, out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ROOT = 0
_LETTER_BITS = 21

States = npt.NDArray[np.int64]


class LetterTree:
    """A state for each beginning of a piece.

    Attributes:
        pieces: The number of the piece (int64) that each state spells; -1 where it is only the beginning of some.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        edges: dict[tuple[int, int], int] = {}
        spelled: dict[int, int] = {}
        for number, text in enumerate(texts):
            state = ROOT
            for letter in map(ord, text):
                state = edges.setdefault((state, letter), len(edges) + 1)
            spelled[state] = number
        keys = np.array([state << _LETTER_BITS | letter for state, letter in edges], np.int64)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._next = np.array(list(edges.values()), np.int64)[order]
        self.pieces = np.full(len(edges) + 1, -1)
        self.pieces[list(spelled)] = list(spelled.values())

    def step(
        self, rows: npt.NDArray[np.int64], states: States, letters: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], States]:
        """The rows for which the tree goes on with a letter, and where to."""
        keys = states << _LETTER_BITS | letters
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[places] == keys
        return rows[found], self._next[places[found]]


def letters_of(words: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The letters of words (words x longest, 0 behind them), and how many each word has."""
    lengths = pc.utf8_length(words).to_numpy().astype(np.int64)
    text = np.zeros((len(words), int(lengths.max(initial=1))), np.int64)
    joined = "".join(words.to_pylist()).encode("utf-32-le")
    text[np.arange(text.shape[1]) < lengths[:, None]] = np.frombuffer(joined, np.uint32)
    return text, lengths
