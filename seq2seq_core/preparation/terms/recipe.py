"""The part of a preparation's configuration that decides, with the corpus, what the dataset holds."""

from __future__ import annotations

from typing import ClassVar, Literal

import pydantic
from pydantic import Field

from seq2seq_core.config import Config, Grown
from seq2seq_core.modalities.base import Modality, Side
from seq2seq_core.modalities.table import DEFAULT, AnyModality
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.rules.catalogue import FiltersConfig
from seq2seq_core.tokenizer.training import TokenizerConfig


class ProtectionConfig(Config):
    """Which training rows are too close to validation, test and benchmark sets, beside those with an equal source."""

    ngram_words: int | None = Field(
        13,
        ge=2,
        le=1000,
        description="a training row that shares so many words in a row with a held-out text is rejected",
    )
    sides: Literal["source", "target", "both"] = Field("both", description="the sides that are compared")


class NearDuplicatesConfig(Config):
    """Which rows count as near-duplicates: those that MinHash finds alike, and what is alike to these in turn.

    Texts are compared in lower case and without punctuation. With the defaults, two rows meet with a probability of
    50 % at a Jaccard similarity of 0.82 (`threshold`), of 1 % at 0.6, 19 % at 0.75, 93 % at 0.9 (`meeting` for others).
    Shingles of characters suit sentences: one other word in twelve leaves about 0.7 of their 5-grams, but a third of
    their word 5-grams. For documents, FineWeb takes word 5-grams, 14 bands of 8 rows (Penedo et al. 2024).
    """

    side: Literal["pair", "source", "target"] = Field("pair", description="the text that is compared")
    shingle: Literal["characters", "words"] = Field("characters", description="what texts are cut into runs of")
    shingle_length: int = Field(5, ge=1, le=64, description="characters or words in a run")
    bands: int = Field(9, ge=1, le=256, description="bands; more of them find less similar rows")
    rows: int = Field(13, ge=1, le=64, description="hash functions in a band; more of them ask for more similarity")
    seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the hash functions")

    @property
    def threshold(self) -> float:
        """The Jaccard similarity at which two texts meet with a probability of one half."""
        return float((1.0 - 0.5 ** (1.0 / self.bands)) ** (1.0 / self.rows))

    def meeting(self, similarity: float) -> float:
        """The probability that texts of this Jaccard similarity share a band."""
        return float(1.0 - (1.0 - similarity**self.rows) ** self.bands)


class Recipe(Grown):
    """How raw rows become shards."""

    younger: ClassVar[frozenset[str]] = frozenset({"keep_scores", "keep_alignments"})

    source_modality: AnyModality = Field(DEFAULT, description="what the source side is")
    normalize: NormalizeConfig = Field(NormalizeConfig(), description="how text is normalised")
    filters: FiltersConfig = Field(FiltersConfig(), description="which training rows are rejected")
    protection: ProtectionConfig = Field(
        ProtectionConfig(), description="which training rows are too close to validation, test and benchmark sets"
    )
    deduplicate: Literal["pair", "source", "target", "none"] = Field(
        "pair", description="of training rows with the same text there, only one stays (see keep)"
    )
    keep: Literal["first", "best"] = Field(
        "first", description="of duplicates: the first in corpus order, or the one with the highest score_field"
    )
    keep_scores: bool = Field(
        False, description="keep the score_field of each training row in the shards, so that training can go by it"
    )
    keep_alignments: bool = Field(
        False,
        description="keep the alignment_field of each training row in the shards, so that guided_alignment can learn "
        "from it",
    )
    near_duplicates: NearDuplicatesConfig | None = Field(
        None, description="training rows that are nearly the same text: `true` looks for them, one of each kind stays"
    )
    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="the tokenizer, given or trained")
    shards: int | None = Field(
        None,
        ge=1,
        le=99_999,
        description="number of training shards; default: an even number, one for about 8 MiB of input (more in one "
        "beyond 512 MiB of it: 128 MiB at 128 GiB)",
    )
    unit_rows: int | None = Field(
        None,
        ge=1,
        le=1 << 40,
        description="lines a worker reads at a time from an uncompressed file; default: 250,000 (more beyond 512 MiB "
        "of input: about 128 MiB of text at 8 GiB)",
    )
    unit_seconds: float | None = Field(
        None,
        gt=0,
        le=1e9,
        description="seconds of audio a worker reads at a time; default: 1800 (more beyond 512 MiB of input, up to "
        "about 128 MiB of FLAC)",
    )
    max_line_bytes: int = Field(1 << 20, ge=1, lt=1 << 31, description="longer lines are unreadable, in bytes")
    on_error: Literal["reject", "fail"] = Field(
        "reject", description="an unreadable row (not UTF-8, bad JSON, missing column) is counted, or ends the run"
    )

    @property
    def reads_scores(self) -> bool:
        """Whether the score of a row is of use beyond its reading."""
        return self.keep == "best" or self.keep_scores

    @property
    def sides(self) -> dict[Side, Modality]:
        """What each side is; the target is always text."""
        return {"source": self.source_modality, "target": DEFAULT}

    @property
    def protected_sides(self) -> tuple[Side, ...]:
        """The sides whose n-grams are compared with those of what is held out."""
        return tuple(side for side in self.text_sides if self.protection.sides in (side, "both"))

    @property
    def value_sides(self) -> tuple[Side, ...]:
        """The sides of which readers give values, not text."""
        return tuple(side for side, modality in self.sides.items() if modality.raw == "values")

    @property
    def text_sides(self) -> tuple[Side, ...]:
        """The sides that have text."""
        return tuple(side for side, modality in self.sides.items() if modality.has_text)

    @pydantic.field_validator("near_duplicates", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        """`true` means the defaults, `false` that they are not looked for."""
        return {True: {}, False: None}[value] if isinstance(value, bool) else value
