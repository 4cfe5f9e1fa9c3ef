"""Which field of a record holds the text, and which fields a translation adds: names in, values out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa

from seq2seq_core.documents.prediction import Pieces, Prediction
from seq2seq_core.errors import InputError

Extra = Literal[
    "score",
    "n_best",
    "finished",
    "segments",
    "given",
    "overlong",
    "parted",
    "second",
    "flags",
    "length_ratio",
    "repetition",
    "copied",
    "language",
    "truncated",
    "token_scores",
    "alignment",
    "attention",
]
EXTRAS: tuple[Extra, ...] = get_args(Extra)

_STRINGS = pa.list_(pa.string())
_READ = [("source", _STRINGS), ("target", _STRINGS)]

_TYPES: dict[Extra, pa.DataType] = {
    "score": pa.float64(),
    "n_best": pa.list_(pa.struct([("text", pa.string()), ("score", pa.float64())])),
    "finished": pa.bool_(),
    "segments": pa.int32(),
    "given": pa.int32(),
    "overlong": pa.bool_(),
    "parted": pa.bool_(),
    "second": pa.int32(),
    "flags": _STRINGS,
    "length_ratio": pa.float64(),
    "repetition": pa.float64(),
    "copied": pa.float64(),
    "language": pa.string(),
    "truncated": pa.bool_(),
    "token_scores": pa.list_(pa.struct([("target", _STRINGS), ("scores", pa.list_(pa.float64()))])),
    "alignment": pa.list_(pa.struct([*_READ, ("positions", pa.list_(pa.int32()))])),
    "attention": pa.list_(pa.struct([*_READ, ("weights", pa.list_(pa.list_(pa.float32())))])),
}
QUALITY: tuple[Extra, ...] = (*("score", "length_ratio", "repetition", "copied", "language", "truncated", "flags"),)
"""What tells of doubtful outputs."""
MEASURED: frozenset[Extra] = frozenset(("length_ratio", "repetition", "copied", "language"))
"""What of it has to be measured."""
SCORED: frozenset[Extra] = frozenset(("score", "n_best", "truncated"))
"""What follows from the scores of outputs."""
OF_PIECES: tuple[Extra, ...] = ("token_scores", "alignment", "attention")
"""What a search keeps only where a key of its own, of the same name, asks for it."""


@dataclass(frozen=True)
class Handling:
    """What is read of documents that have more than one kind of text, or hold translations already.

    Attributes:
        attributes: Attributes of HTML whose values are texts.
        replace: Whether translations that stand there already are made anew.
        languages: Of the texts and of the translations, for outputs that name them.
    """

    attributes: tuple[str, ...] = ()
    replace: bool = False
    languages: tuple[str, str] = ("und", "und")


@dataclass(frozen=True)
class Fields:
    """`text` is read, and `prefix` with what a translation begins with; `output` is added, and after it `output_score`
    and so on.

    What the names of fields that are read mean is told by `files.fields`.
    """

    text: str
    output: str
    extra: tuple[Extra, ...] = ()
    handling: Handling = Handling()
    prefix: str | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """The names of all fields that are read."""
        return (self.text,) if self.prefix is None else (self.text, self.prefix)

    @property
    def added(self) -> list[str]:
        """The names of all fields a translation adds, in order."""
        return [self.output, *(f"{self.output}_{name}" for name in self.extra)]

    @property
    def types(self) -> list[pa.DataType]:
        """The Arrow types of the added fields, in order."""
        return [pa.string(), *(_TYPES[name] for name in self.extra)]

    def values(self, prediction: Prediction | None) -> list[Any]:
        """The values of the added fields, in order; all None without a prediction."""
        if prediction is None:
            return [None] * len(self.added)
        return [prediction.text, *(_value(prediction, name) for name in self.extra)]

    def refuse_collision(self, present: Iterable[str], where: str) -> None:
        """Raise an InputError when a field to be added is there already."""
        both = sorted(set(self.added) & set(present))
        if both:
            raise InputError(
                f"the field {both[0]!r} is there already",
                where=where,
                advice="Name another field for the translation (--output_field NAME).",
            )


def _value(prediction: Prediction, name: Extra) -> object:
    if name == "n_best":
        return [{"text": text, "score": score} for text, score in prediction.n_best]
    if name in OF_PIECES:
        return [_of_pieces(pieces, name) for pieces in prediction.pieces]
    value = getattr(prediction, name)
    return list(value) if isinstance(value, tuple) else value


def _of_pieces(pieces: Pieces, name: Extra) -> dict[str, object]:
    if name == "token_scores":
        return {"target": pieces.target, "scores": pieces.scores}
    read = {"source": pieces.source, "target": pieces.target}
    return read | ({"positions": pieces.alignment} if name == "alignment" else {"weights": pieces.attention})
