"""A SentencePiece model: text columns in, columns of piece ids out, and back."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sentencepiece

from seq2seq_core import storage
from seq2seq_core.errors import TokenizerError
from seq2seq_core.tokenizer.proto import read_facts
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID, token_type
from seq2seq_core.tokenizer.word_encoder import WordEncoder


class Tokenizer:
    """A SentencePiece model with this project's special ids.

    Attributes:
        data: The serialized model.
        digest: xxh3-128 of `data`.
        vocabulary_size: Number of pieces, special ones included.
    """

    def __init__(self, data: bytes, where: str = "tokenizer") -> None:
        self.data = data
        self.digest = storage.digest_bytes(data)
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(data)
        except RuntimeError as error:
            raise TokenizerError("not a SentencePiece model", where=where, found=error) from None
        processor = self._processor
        found = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        expected = (PAD_ID, UNKNOWN_ID, BOS_ID, EOS_ID)
        if found != expected:
            raise TokenizerError(
                "special ids differ",
                where=where,
                found=f"pad, unk, bos, eos = {found}",
                expected=expected,
                advice="Train it with --pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3, or let prepare train one.",
            )
        self.vocabulary_size: int = processor.get_piece_size()

    @classmethod
    def load(cls, url: str) -> Tokenizer:
        """Read a model file; a StorageError or TokenizerError names it when that fails."""
        return cls(storage.read_bytes(url), where=storage.redact(url))

    @functools.cached_property
    def controls(self) -> tuple[str, ...]:
        """Control pieces beside those every tokenizer has: no text is ever cut into them."""
        own = range(max(PAD_ID, UNKNOWN_ID, BOS_ID, EOS_ID) + 1, self.vocabulary_size)
        return tuple(self._processor.id_to_piece(i) for i in own if self._processor.is_control(i))

    def control_id(self, piece: str) -> int:
        """The id of a control piece, which no text is ever cut into.

        Raises:
            TokenizerError: There is no such piece.
        """
        found: int = self._processor.piece_to_id(piece)
        if found == UNKNOWN_ID or not self._processor.is_control(found):
            raise TokenizerError(
                "the tokenizer has no such control piece",
                where=f"tokenizer {self.digest}",
                expected=piece,
                advice=f"Train it with --control_symbols={piece}, or let prepare train one.",
            )
        return found

    def encode_column(self, texts: pa.StringArray) -> pa.ListArray:
        """Piece ids of each text: list<uint16> (uint32 for vocabularies over 65,536), without BOS and EOS.

        They are the ids SentencePiece gives for the whole text. Where words do not depend on each other
        (`tokenizer.word_encoder`), each distinct word is encoded once, and remembered. One call keeps one core busy.

        Args:
            texts: Texts without nulls.
        """
        return self._words.encode(texts)

    @functools.cached_property
    def _words(self) -> WordEncoder:
        return WordEncoder(read_facts(self.data), self._encode_each)

    def _encode_each(self, texts: pa.StringArray) -> pa.ListArray:
        """The same, by SentencePiece alone."""
        rows = self._processor.encode(texts.to_pylist(), out_type=int, num_threads=1)
        return pa.array(rows, pa.list_(pa.field("item", token_type(self.vocabulary_size), nullable=False)))

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Piece ids (int32) of each text, without BOS and EOS."""
        column = self.encode_column(pa.array(texts, pa.string()))
        flat, ends = column.values.to_numpy().astype(np.int32), column.offsets.to_pylist()
        return [flat[begin:end] for begin, end in itertools.pairwise(ends)]

    def decode(self, sequences: Sequence[npt.NDArray[np.integer]]) -> list[str]:
        """The text of each sequence of piece ids."""
        rows = [ids.tolist() for ids in sequences]
        decoded: list[str] = self._processor.decode(rows, num_threads=1) if rows else []
        return decoded

    def pieces(self, ids: npt.NDArray[np.integer]) -> list[str]:
        """The pieces behind ids, with the word boundary mark, for tables and heat maps."""
        return [self._processor.id_to_piece(int(i)) for i in ids]
