"""Pieces of rows and their aligned words in; where the decoder should look while it says each piece, out.

Shape legend: B rows, S source positions, T target positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.dataset.reader import Dataset
from seq2seq_core.modalities.base import Ragged
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import PieceKind, read_facts
from seq2seq_core.tokenizer.words import MARK

_NO_WORD = -1


@dataclass(frozen=True)
class Words:
    """Which word of its row a piece belongs to.

    Attributes:
        begin: Whether a piece begins a word (bool, by id): it has the mark of a space before it.
        are_outside: Whether it belongs to none (bool, by id): control pieces, such as tags of a language.
    """

    begin: npt.NDArray[np.bool_]
    are_outside: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Words:
        """By the pieces of a tokenizer."""
        pieces = read_facts(tokenizer.data).pieces
        return cls(
            np.array([piece.text.startswith(MARK) for piece in pieces]),
            np.array([piece.kind == PieceKind.CONTROL for piece in pieces]),
        )

    def padded(self, rows: Ragged, width: int) -> npt.NDArray[np.int64]:
        """The word of each position (B x width), counted from 0 in each row; -1 where there is none.

        The first piece that belongs to a word begins one, marked or not.
        """
        is_real = np.arange(width) < rows.lengths[:, None]
        ids = np.zeros(is_real.shape, np.int64)
        ids[is_real] = rows.flat
        is_inside = is_real & ~self.are_outside[ids]
        begins = self.begin[ids] & is_inside
        begins |= is_inside & (np.cumsum(is_inside, axis=1) == 1)
        return np.where(is_inside, np.cumsum(begins, axis=1) - 1, _NO_WORD)


@dataclass(frozen=True)
class Guide:
    """Knows the words of both sides."""

    source: Words
    target: Words

    @classmethod
    def of(cls, dataset: Dataset) -> Guide:
        """That of a dataset with two sides of text."""
        return cls(Words.of(dataset.source_tokenizer), Words.of(dataset.target_tokenizer))

    def weights(
        self, source: Ragged, target: Ragged, aligned: Ragged, shape: tuple[int, int]
    ) -> npt.NDArray[np.float32]:
        """Where the decoder should look (B x T x S): evenly at all pieces of all words that the piece's own is aligned
        with. All 0 where its word is aligned with none, and at the row's end.

        Args:
            source: Ids of each row.
            target: Likewise.
            aligned: Pairs of words of each row (pairs x 2).
            shape: T and S.
        """
        words_BT, words_BS = self.target.padded(target, shape[0]), self.source.padded(source, shape[1])
        count = len(source.lengths)
        # One word more of each side, the last, is aligned with none: it stands for positions without a word.
        words = np.zeros((count, words_BT.max(initial=0) + 2, words_BS.max(initial=0) + 2), np.float32)
        rows = np.repeat(np.arange(count), aligned.lengths)
        source_word, target_word = aligned.flat[:, 0], aligned.flat[:, 1]
        are_there = (target_word < words.shape[1] - 1) & (source_word < words.shape[2] - 1)
        words[rows[are_there], target_word[are_there], source_word[are_there]] = 1
        weights_BTS = words[np.arange(count)[:, None, None], words_BT[:, :, None], words_BS[:, None, :]]
        weights_BTS /= np.maximum(weights_BTS.sum(axis=2, keepdims=True), 1)
        return weights_BTS
