"""One side of the rows in, in any of its forms; the next form out: what a side of a corpus has to be able to do.

A side passes through four forms, and a modality is the only one that knows what any of them holds:

    raw       what a reader gives: text, or the values of a column as they stand in the file
    staged    a column in the files of a preparation's workers: normalised, comparable, not yet encoded
    content   a column of a shard, with the length of each row beside it: tokens, frames
    padded    an array of a batch, which the loader makes a tensor of and an encoder reads

Nothing outside a modality and the table asks which one it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pydantic

from seq2seq_core.config import Config
from seq2seq_core.records import Problem
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.model import Tokenizer

Side = Literal["source", "target"]
SIDES: tuple[Side, ...] = get_args(Side)

Raw = Literal["text", "values"]
"""What a reader gives of a side: text, whatever the format; or the values of a column, of formats that have any."""


@dataclass(frozen=True)
class Symbols:
    """What an encoder is given: one of so many ids at each position (int64, B x S)."""

    vocabulary: int


@dataclass(frozen=True)
class Vectors:
    """What an encoder is given: so many numbers at each position (float32, B x S x width)."""

    width: int


EncoderInput = Symbols | Vectors


class Element(NamedTuple):
    """What the cache holds of each position: `width` numbers of a type (little-endian)."""

    dtype: np.dtype[Any]
    width: int = 1


class Ragged(NamedTuple):
    """Rows of different lengths: all positions one row after the other, and the length (int64) of each row.

    `flat` has one axis where an element has one number, and two (positions x width) where it has more.
    """

    flat: npt.NDArray[Any]
    lengths: npt.NDArray[np.int64]


class Padded(NamedTuple):
    """Rows of a batch in one array, as long as the longest, and how many positions of each row are real (int64).

    Each row has one at least, also where it is empty: an encoder has to have something to look at.
    """

    values: npt.NDArray[Any]
    lengths: npt.NDArray[np.int64]


class Normalized(NamedTuple):
    """What became of the values of a reader.

    Attributes:
        column: Comparable values; whatever may be in rows with a problem.
        text: What rules judge of them: their text, or empty texts where they have none.
        problems: What is wrong with rows that cannot be used.
        measures: What else rules judge, by name: a number (float64) of each row, for each name in `Modality.measured`.
    """

    column: pa.Array
    text: TextColumn
    problems: Sequence[Problem] = ()
    measures: Mapping[str, npt.NDArray[np.float64]] = {}


class Doubt(NamedTuple):
    """A value that cannot be: what is wrong, what was found, what can be."""

    problem: str
    found: object
    expected: object


Described = str | dict[str, Any]
"""A modality as manifests have it: its name, or where it has settings, all of them beside its name in `kind`."""


class Modality(Config, ABC):
    """What a side is. Its fields are its settings, and `kind`, a Literal of what configurations and manifests call it.

    Attributes:
        raw: What readers give of it.
        metric: What models of such a source are judged by where nobody says so.
        longest: The longest source that is trained on where nobody says so.
        has_text: Whether its staged column is text: then rules judge it, tokenizers are trained on it, and n-grams and
            near-duplicates are looked for in it.
        unit: What its length is counted in, as pages say it.
        measured: The names of what is measured of it, which rules may ask for.
        row_group_positions: At most so many positions of a row group, in shards: of about so many bytes.
        effort: How many times as long as a byte of text one of a corpus takes, be it of the name of a file.
        longest_counted: Manifests count rows of each length up to this, and longer ones as if they were of this.
    """

    raw: ClassVar[Raw]
    has_text: ClassVar[bool]
    measured: ClassVar[tuple[str, ...]] = ()
    row_group_positions: ClassVar[int] = 1 << 20
    effort: ClassVar[int] = 1
    unit: ClassVar[str] = "tokens"
    longest_counted: ClassVar[int] = 1024
    metric: ClassVar[Literal["bleu", "wer"]] = "bleu"
    longest: ClassVar[int] = 256

    kind: str

    @pydantic.model_serializer(mode="wrap")
    def _by_name_alone(self, dump: pydantic.SerializerFunctionWrapHandler) -> Described:
        """See `Described`: what is written of a modality without settings does not change when others get some."""
        values: dict[str, Any] = dump(self)
        return self.kind if values.keys() == {"kind"} else values

    @property
    def described(self) -> Described:
        """It, as manifests have it."""
        described: Described = self.model_dump(mode="json")
        return described

    @property
    def meaning(self) -> Mapping[str, object]:
        """The settings that say what the numbers mean which an encoder is given: what has learnt to read those of
        others reads nothing here.
        """
        return {}

    @abstractmethod
    def staged_type(self) -> pa.DataType:
        """The type of the staged column."""

    @abstractmethod
    def normalized(self, raw: pa.Array, settings: NormalizeConfig) -> Normalized:
        """What a reader gave, made comparable; `staged` takes it from there."""

    @abstractmethod
    def staged(self, normalized: pa.Array) -> pa.Array:
        """The staged column (no nulls)."""

    @abstractmethod
    def keys(self, rows: pa.Array) -> pa.Array:
        """The bytes by which equal rows are found (text or binary, no nulls), of a normalised or staged column.

        A row without any has no such side: it is then known by its other side.
        """

    def split_keys(self, rows: pa.Array) -> pa.Array:
        """The bytes by which rows are dealt to splits, where shares of the corpora are held out: those of one group
        (all that a speaker says) have the same.
        """
        return self.keys(rows)

    @property
    def notes(self) -> Mapping[str, pa.DataType]:
        """What shards keep of a row beside its content, for reports and scores: names and types, which may be null."""
        return {}

    def noted(self, staged: pa.Array) -> Mapping[str, pa.Array]:
        """The columns of `notes`."""
        del staged
        return {}

    def copies(self, staged: pa.Array) -> Iterator[tuple[str, pa.Array]]:
        """Other forms of the same rows, which a training split has too: what sort of copy it is, and its column."""
        del staged
        yield from ()

    def sums(self, content: pa.ChunkedArray) -> tuple[float, ...]:
        """What `settled` needs to know of the first rows of a training shard; nothing where it asks for nothing."""
        del content
        return ()

    def settled(self, sums: Sequence[Sequence[float]]) -> Self:
        """It, with what follows from the sums of all training shards."""
        del sums
        return self

    @abstractmethod
    def content_type(self, vocabulary: int | None) -> pa.DataType:
        """The type of the content column; `vocabulary` is the size of the side's tokenizer, None where it has none."""

    @abstractmethod
    def content(self, staged: pa.Array, tokenizer: Tokenizer | None) -> pa.Array:
        """The content column; `tokenizer` is that of the side, None where it has none."""

    @abstractmethod
    def lengths(self, content: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """The length of each row, which batches are planned by."""

    @abstractmethod
    def doubt(self, content: pa.ChunkedArray, vocabulary: int | None) -> Doubt | None:
        """What is wrong with values of the right type; None where nothing is."""

    @abstractmethod
    def element(self, vocabulary: int | None) -> Element:
        """What the cache holds of each position."""

    @abstractmethod
    def flat(self, content: pa.ChunkedArray) -> npt.NDArray[Any]:
        """All positions of a content column, as `Ragged.flat` has them."""

    @abstractmethod
    def padded(self, rows: Ragged) -> Padded:
        """Rows as an encoder reads them."""

    @abstractmethod
    def encoder_input(self, vocabulary: int | None) -> EncoderInput:
        """What an encoder is given at each position."""
