"""Words and the pieces of a BPE model in; cuts of the words, by merges some of which are left out at random, out.

A word begins as its letters. Of the merges that are possible, each is left out with a probability p, and of the others
the best is done, the first of equals; this goes on until none is left (Provilkov, Emelianenko and Voita 2020,
"BPE-Dropout", algorithm 1). Without dropout these are the very pieces of SentencePiece, which merges any two pieces
that make up a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.tokenizer.proto import Piece, PieceKind
from seq2seq_core.tokenizer.sampling.chances import Keys, draws, within
from seq2seq_core.tokenizer.sampling.cuts import Cuts
from seq2seq_core.tokenizer.tree import letters_of

Numbers = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Words:
    """Words on their way: symbols of each, the rank of the merge of each with its neighbour, and how many there are."""

    which: Numbers
    symbols: Numbers
    ranks: Numbers
    counts: Numbers

    def some(self, chosen: npt.NDArray[np.bool_]) -> _Words:
        width = max(int(self.counts[chosen].max(initial=1)), 1)
        symbols, ranks = self.symbols[chosen, :width], self.ranks[chosen, :width]
        return _Words(self.which[chosen], symbols, ranks, self.counts[chosen])


class Merger:
    """The merges of a BPE model.

    Symbols are the pieces, and letters that are none by themselves, with numbers behind those of the pieces.

    Args:
        pieces: The vocabulary.
        dropout: The probability p.
    """

    def __init__(self, pieces: Sequence[Piece], dropout: float) -> None:
        self._dropout = dropout
        normal = {piece.text: number for number, piece in enumerate(pieces) if piece.kind == PieceKind.NORMAL}
        letters = sorted({letter for text in normal for letter in text})
        symbols = normal | {
            letter: len(pieces) + i for i, letter in enumerate(letter for letter in letters if letter not in normal)
        }
        self._letters = np.array([ord(letter) for letter in letters], np.int64)
        self._symbols = np.array([symbols[letter] for letter in letters], np.int64)
        self._size, self.pieces = len(pieces) + len(letters), len(pieces)
        self._learn(pieces, normal, symbols)

    def draw(self, words: pa.StringArray, which: Numbers, keys: Keys) -> Cuts:
        """A cut of `words[which[i]]` for each key i, of the letters of pieces; symbols from `pieces` on are none."""
        text, lengths = letters_of(words)
        symbols = self._symbols[np.minimum(np.searchsorted(self._letters, text), len(self._letters) - 1)]
        ranks = np.full_like(symbols, _NEVER)
        ranks[:, :-1] = self._rank(symbols[:, :-1], symbols[:, 1:])
        ranks[np.arange(text.shape[1]) >= lengths[:, None] - 1] = _NEVER
        active = _Words(np.arange(len(which)), symbols[which], ranks[which], lengths[which])
        done, turn = [], 0
        while len(active.which):
            best, possible = self._best(active, keys[active.which], turn)
            done.append(active.some(~possible))
            active = self._merged(active.some(possible), best[possible])
            turn += 1
        return _joined(len(which), done)

    def _learn(self, pieces: Sequence[Piece], normal: dict[str, int], symbols: dict[str, int]) -> None:
        """All merges: of the two symbols, the rank and what becomes of them."""
        pairs, merged = [], []
        for text, number in normal.items():
            for cut in range(1, len(text)):
                left, right = symbols.get(text[:cut]), symbols.get(text[cut:])
                if left is not None and right is not None:
                    pairs.append(left * self._size + right)
                    merged.append(number)
        scores = np.array([-piece.score for piece in pieces])
        by_rank = np.argsort(scores, kind="stable")
        order = np.argsort(np.array(pairs, np.int64))
        self._pairs = np.array([*np.array(pairs, np.int64)[order], _NEVER])
        self._ranks = np.array([*np.argsort(by_rank)[np.array(merged, np.int64)[order]], _NEVER])
        self._by_rank = by_rank

    def _rank(self, left: Numbers, right: Numbers) -> Numbers:
        """The rank of the merge of two symbols, which says what becomes of them; `_NEVER` where there is none."""
        pairs = left * self._size + right
        places = np.searchsorted(self._pairs, pairs)
        found: Numbers = np.where(self._pairs[places] == pairs, self._ranks[places], _NEVER)
        return found

    def _best(self, words: _Words, keys: Keys, turn: int) -> tuple[Numbers, npt.NDArray[np.bool_]]:
        """Where the merge stands in each word that is done now, and whether there is one."""
        ranks = words.ranks
        if self._dropout:
            rows, places = np.nonzero(ranks != _NEVER)
            dropped = draws(within(within(keys, turn)[rows], places)) < self._dropout
            ranks = ranks.copy()
            ranks[rows[dropped], places[dropped]] = _NEVER
        best = ranks.argmin(1)
        return best, ranks[np.arange(len(ranks)), best] != _NEVER

    def _merged(self, words: _Words, at: Numbers) -> _Words:
        """The words after a merge at one place of each."""
        rows, width = np.arange(len(at)), words.symbols.shape[1]
        symbols = words.symbols.copy()
        symbols[rows, at] = self._by_rank[words.ranks[rows, at]]
        places = np.arange(width) + (np.arange(width) > at[:, None])
        places = np.minimum(places, width - 1)
        symbols = np.take_along_axis(symbols, places, 1)
        ranks, counts = np.take_along_axis(words.ranks, places, 1), words.counts - 1
        for left in (at - 1, at):
            inside = (left >= 0) & (left + 1 < counts)
            place = np.where(inside, left, 0)
            found = self._rank(symbols[rows, place], symbols[rows, np.minimum(place + 1, width - 1)])
            ranks[rows[inside], place[inside]] = found[inside]
        ranks[rows, np.maximum(counts - 1, 0)] = _NEVER
        return replace(words, symbols=symbols, ranks=ranks, counts=counts)


def _joined(words: int, done: Sequence[_Words]) -> Cuts:
    counts = np.zeros(words, np.int64)
    for some in done:
        counts[some.which] = some.counts
    begins = np.cumsum(counts) - counts
    pieces = np.empty(int(counts.sum()), np.int64)
    for some in done:
        real = np.arange(some.symbols.shape[1]) < some.counts[:, None]
        pieces[(begins[some.which][:, None] + np.arange(some.symbols.shape[1]))[real]] = some.symbols[real]
    return Cuts(pieces, counts)
