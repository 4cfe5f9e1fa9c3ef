"""Texts in, ids of a converted model's vocabulary out, and back: by SentencePiece, or by a tokenizer of Hugging Face.

What cuts a text gives tokens by their names; the model's vocabulary says which numbers they have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import sentencepiece

from seq2seq_core import storage
from seq2seq_core.errors import ModelError
from seq2seq_core.modalities.base import Side

TokenIds = npt.NDArray[np.int32]

TOKENIZER = "tokenizer.json"
SENTENCEPIECE: dict[Side, tuple[str, ...]] = {
    side: (
        f"{side}.spm",
        f"{side}.model",
        "sentencepiece.bpe.model",
        "sentencepiece.model",
        "spiece.model",
        "spm.model",
    )
    for side in ("source", "target")
}
"""What files of SentencePiece are called, in the order in which they are looked for."""

SHAPING = frozenset({TOKENIZER, *(name for names in SENTENCEPIECE.values() for name in names)})


class Cutter(Protocol):
    """Cuts texts into tokens by name, and joins them."""

    def cut(self, texts: Sequence[str]) -> list[list[str]]: ...

    def join(self, tokens: Sequence[Sequence[str]]) -> list[str]: ...


class Texts:
    """A tokenizer of one side of a model; see `PieceTokenizer`."""

    def __init__(self, cutter: Cutter, tokens: Sequence[str], unknown: str, silent: Collection[str]) -> None:
        """Put it together.

        Args:
            cutter: What cuts and joins.
            tokens: The vocabulary of the side, by id.
            unknown: The token of what has none.
            silent: Tokens that are no text.
        """
        self._cutter, self._tokens = cutter, tokens
        self._ids = {token: number for number, token in enumerate(tokens)}
        self._unknown = self._ids.get(unknown, 0)
        self._silent = np.array([token in silent for token in tokens], np.bool_)

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """Ids (int32) of each text, without those that a model wants around it."""
        ids, unknown = self._ids, self._unknown
        return [
            np.fromiter((ids.get(token, unknown) for token in tokens), np.int32, len(tokens))
            for tokens in self._cutter.cut(texts)
        ]

    def decode(self, sequences: Sequence[npt.NDArray[np.integer]]) -> list[str]:
        """The text of each sequence of ids."""
        return self._cutter.join([self.pieces(ids[~self._silent[ids]]) for ids in sequences])

    def pieces(self, ids: npt.NDArray[np.integer]) -> list[str]:
        """The tokens behind ids."""
        return [self._tokens[i] for i in ids.tolist()]


def read_cutter(root: str, side: Side, where: str) -> Cutter:
    """What cuts the texts of a side, by the files of a folder.

    Raises:
        ModelError: There is none, or it cannot be read.
    """
    there = storage.sizes_in(root)
    name = next((name for name in SENTENCEPIECE[side] if name in there), None)
    if TOKENIZER in there:
        return _HuggingFace(storage.read_bytes(storage.join(root, TOKENIZER)), where)
    if name is not None:
        return _SentencePiece(storage.read_bytes(storage.join(root, name)), where)
    raise ModelError(
        "the model has no tokenizer",
        where=where,
        found="no file of SentencePiece, and none of Hugging Face's tokenizers",
        expected=", ".join((TOKENIZER, *SENTENCEPIECE[side])),
        advice="Copy the tokenizer into the folder: the files of that name that stand beside the original model.",
    )


class _SentencePiece:
    def __init__(self, data: bytes, where: str) -> None:
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(data)
        except RuntimeError as error:
            raise ModelError("the tokenizer is damaged", where=where, found=error) from None

    def cut(self, texts: Sequence[str]) -> list[list[str]]:
        return list(self._processor.encode(list(texts), out_type=str, num_threads=1))

    def join(self, tokens: Sequence[Sequence[str]]) -> list[str]:
        return [self._processor.decode_pieces(list(some)) for some in tokens]


class _HuggingFace:
    def __init__(self, data: bytes, where: str) -> None:
        import tokenizers

        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_buffer(data)
        except Exception as error:  # noqa: BLE001 (the library raises nothing more special)
            raise ModelError("the tokenizer is damaged", where=where, found=error) from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._ids: Mapping[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)

    def cut(self, texts: Sequence[str]) -> list[list[str]]:
        return [found.tokens for found in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def join(self, tokens: Sequence[Sequence[str]]) -> list[str]:
        ids = [[self._ids[token] for token in some if token in self._ids] for some in tokens]
        return list(self._tokenizer.decode_batch(ids, skip_special_tokens=True))
