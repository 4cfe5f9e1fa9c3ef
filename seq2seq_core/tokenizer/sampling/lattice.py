"""Words and the pieces of a unigram model in; cuts of the words, drawn by their probability, out.

A cut x of a word has the probability P(x)^a / sum of all P(y)^a (Kudo 2018, "Subword Regularization", section 3.2, with
all cuts as candidates): forward filtering, backward sampling. From the end of a word on, the piece before a position is
drawn with a probability that follows from sums over all cuts up to there. The probabilities are kept as integers, so
that what is drawn does not depend on which words are looked at together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.tokenizer.proto import Piece, PieceKind
from seq2seq_core.tokenizer.sampling.chances import Keys, draws, within
from seq2seq_core.tokenizer.sampling.cuts import Cuts
from seq2seq_core.tokenizer.tree import ROOT, LetterTree, letters_of

_ONE = float(1 << 32)

Numbers = npt.NDArray[np.int64]


class _Edges(NamedTuple):
    """Pieces in words: an element for each place where a piece of the model stands in one of them.

    States are positions between letters, `width + 1` of them a word.
    """

    ends: Numbers
    begins: Numbers
    pieces: Numbers
    chances: npt.NDArray[np.float64]


class Lattice:
    """The pieces of a unigram model, and how sharp the choice among cuts is.

    Args:
        pieces: The vocabulary.
        alpha: The exponent a: 0 draws all cuts alike, a great one the best.
    """

    def __init__(self, pieces: Sequence[Piece], alpha: float) -> None:
        normal = [number for number, piece in enumerate(pieces) if piece.kind == PieceKind.NORMAL]
        self._ids = np.array(normal, np.int64)
        self._scores = alpha * np.array([pieces[number].score for number in normal])
        self._tree = LetterTree(pieces[number].text for number in normal)

    def draw(self, words: pa.StringArray, which: Numbers, keys: Keys) -> Cuts:
        """A cut of `words[which[i]]` for each key i; every word has one at least."""
        text, lengths = letters_of(words)
        width = text.shape[1]
        edges = self._edges(text, lengths)
        firsts = np.searchsorted(edges.ends, np.arange(len(words) * (width + 1) + 1))
        shares = np.rint(edges.chances * _ONE).astype(np.int64)
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(shares)])
        return self._back(edges, firsts, sums, (which * (width + 1), lengths[which]), keys)

    def _edges(self, text: Numbers, lengths: Numbers) -> _Edges:
        """All pieces of all words, by their ends, with the chance of each to stand before its end."""
        width = text.shape[1]
        total = np.full((len(text), width + 1), -np.inf)
        total[:, 0] = 0.0
        none: npt.NDArray[np.float64] = np.zeros(0)
        found = [(none.astype(np.int64), 0, 0, none.astype(np.int64), none)]
        for begin in range(width):
            rows = np.flatnonzero((lengths > begin) & np.isfinite(total[:, begin]))
            states = np.full(len(rows), ROOT)
            for end in range(begin + 1, width + 1):
                rows, states = self._tree.step(rows, states, text[rows, end - 1])
                if not len(rows):
                    break
                pieces = self._tree.pieces[states]
                ends = rows[pieces >= 0]
                pieces = pieces[pieces >= 0]
                scores = total[ends, begin] + self._scores[pieces]
                total[ends, end] = np.logaddexp(total[ends, end], scores)
                found.append((ends, begin, end, pieces, scores))
        rows = np.concatenate([row for row, *_ in found])
        begins, ends = (np.repeat([part[at] for part in found], [len(part[0]) for part in found]) for at in (1, 2))
        pieces = np.concatenate([part[3] for part in found])
        chances = np.exp(np.concatenate([part[4] for part in found]) - total[rows, ends])
        order = np.argsort(rows * (width + 1) + ends, kind="stable")
        places = rows * (width + 1)
        return _Edges((places + ends)[order], (places + begins)[order], self._ids[pieces[order]], chances[order])

    def _back(self, edges: _Edges, firsts: Numbers, sums: Numbers, words: tuple[Numbers, Numbers], keys: Keys) -> Cuts:
        """Draw from the ends of words to their beginnings."""
        first, lengths = words
        active = np.arange(len(keys))
        states = first + lengths
        steps: list[tuple[Numbers, Numbers]] = []
        while len(active):
            chances = draws(within(keys[active], len(steps)))
            low, high = sums[firsts[states]], sums[firsts[states + 1]]
            chosen = np.searchsorted(sums, low + (chances * (high - low)).astype(np.int64), side="right") - 1
            steps.append((active, edges.pieces[chosen]))
            states = edges.begins[chosen]
            going = states > first[active]
            active, states = active[going], states[going]
        return Cuts.reversed(len(keys), steps)
