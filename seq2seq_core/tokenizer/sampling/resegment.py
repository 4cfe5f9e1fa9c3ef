"""Rows of piece ids in; the same texts, cut into other pieces at random, out.

The pieces of a row spell its normalised text, so no text is needed. What is drawn is cut within words alone, as
SentencePiece does it. Words with other than ordinary pieces (unknown letters, bytes, control pieces) stay as they are:
their text cannot be told, or must not be cut.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.errors import TokenizerError
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.proto import ModelFacts, ModelType, PieceKind, read_facts
from seq2seq_core.tokenizer.sampling.chances import Keys, within
from seq2seq_core.tokenizer.sampling.cuts import Cuts
from seq2seq_core.tokenizer.sampling.lattice import Lattice
from seq2seq_core.tokenizer.sampling.merging import Merger
from seq2seq_core.tokenizer.words import MARK

Numbers = npt.NDArray[np.int64]


class SamplingConfig(Config):
    """How likely other cuts of a word are than the usual one."""

    bpe_dropout: float = Field(
        0.1, ge=0, le=1, description="BPE models: share of the merges that are left out (Provilkov et al. 2020)"
    )
    unigram_alpha: float = Field(
        0.2,
        ge=0,
        le=1e6,
        description="unigram models: exponent of the probabilities of cuts (Kudo 2018); 0: all cuts are alike",
    )


class _Drawer(Protocol):
    def draw(self, words: pa.StringArray, which: Numbers, keys: Keys) -> Cuts: ...


class Resegmenter:
    """Cuts rows of one tokenizer again.

    Raises:
        TokenizerError: A model of another kind, or one whose pieces reach over words.
    """

    def __init__(self, tokenizer: Tokenizer, config: SamplingConfig) -> None:
        facts = read_facts(tokenizer.data)
        _check(facts, tokenizer)
        self._drawer: _Drawer = (
            Merger(facts.pieces, config.bpe_dropout)
            if facts.type == ModelType.BPE
            else Lattice(facts.pieces, config.unigram_alpha)
        )
        texts = [piece.text.encode() if piece.kind == PieceKind.NORMAL else b"" for piece in facts.pieces]
        self._is_normal = np.array([piece.kind == PieceKind.NORMAL for piece in facts.pieces])
        self._begins_word = np.array([text.startswith(MARK.encode()) for text in texts])
        self._bytes = np.frombuffer(b"".join(texts), np.uint8)
        self._sizes = np.array([len(text) for text in texts], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def cut(self, ids: Numbers, lengths: Numbers, keys: Keys) -> tuple[Numbers, Numbers]:
        """Rows cut again.

        Args:
            ids: Pieces of all rows, one row after the other.
            lengths: How many each row has.
            keys: A key for each row: with its pieces it alone decides how it is cut.

        Returns:
            The same two of what was drawn.
        """
        if not len(ids):
            return ids, lengths
        begins = self._word_begins(ids, lengths)
        sizes = np.diff(np.append(begins, len(ids)))
        rows = np.searchsorted(np.cumsum(lengths), begins, side="right")
        given = Cuts(ids, sizes)
        free = np.logical_and.reduceat(self._is_normal[ids], begins)
        if not free.any():
            return ids, lengths
        first = np.searchsorted(rows, np.arange(len(lengths)))
        places = np.arange(len(begins)) - first[rows]
        drawn = self._drawn(given.of(free), within(keys[rows[free]], places[free]))
        real = np.logical_and.reduceat(drawn.pieces < len(self._sizes), np.cumsum(drawn.counts) - drawn.counts)
        free[free] = real
        cut = given.replaced(drawn.of(real), free)
        return cut.pieces, np.bincount(rows, cut.counts, len(lengths)).astype(np.int64)

    def _word_begins(self, ids: Numbers, lengths: Numbers) -> Numbers:
        """Where words begin: with the mark of a space, or with their row."""
        begins = self._begins_word[ids].copy()
        ends = np.cumsum(lengths)
        begins[(ends - lengths)[lengths > 0]] = True
        return np.flatnonzero(begins)

    def _drawn(self, words: Cuts, keys: Keys) -> Cuts:
        texts = self._texts(words)
        distinct = texts.dictionary_encode()
        return self._drawer.draw(distinct.dictionary, distinct.indices.to_numpy().astype(np.int64), keys)

    def _texts(self, words: Cuts) -> pa.StringArray:
        """What words of ordinary pieces spell."""
        sizes = self._sizes[words.pieces]
        ends = np.cumsum(sizes)
        ramps = np.repeat(self._starts[words.pieces] - ends + sizes, sizes) + np.arange(int(sizes.sum()))
        offsets = np.concatenate([np.zeros(1, np.int64), ends])[np.append(0, np.cumsum(words.counts))]
        data = self._bytes[ramps]
        return pa.LargeStringArray.from_buffers(
            len(words.counts), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))
        ).cast(pa.string())


def _check(facts: ModelFacts, tokenizer: Tokenizer) -> None:
    normal = [piece.text for piece in facts.pieces if piece.kind == PieceKind.NORMAL]
    has_known_kind = facts.type in (ModelType.BPE, ModelType.UNIGRAM)
    has_unused = any(piece.kind == PieceKind.UNUSED for piece in facts.pieces)
    reaches_over = facts.space_as_suffix or any(MARK in text.lstrip(MARK) for text in normal)
    if not has_known_kind or has_unused or reaches_over:
        raise TokenizerError(
            "words of this tokenizer cannot be cut again from their pieces",
            where=f"tokenizer {tokenizer.digest}",
            found="pieces that reach over words" if reaches_over else "another kind of model, or unused pieces",
            expected="a BPE or unigram model that cuts at spaces",
            advice="Train without sampled segmentations.",
        )
