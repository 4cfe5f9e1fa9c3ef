"""The part of a preparation's configuration that decides, with the corpus, what the dataset holds."""

from __future__ import annotations

from typing import Literal

import pydantic
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.preparation.near.minhash import NearDuplicatesConfig
from seq2seq_core.preparation.protection import ProtectionConfig
from seq2seq_core.text.filters import FiltersConfig
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.tokenizer.training import TokenizerConfig


class Recipe(Config):
    """How raw rows become shards."""

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
    near_duplicates: NearDuplicatesConfig | None = Field(
        None, description="training rows that are nearly the same text: `true` looks for them, one of each kind stays"
    )
    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="the tokenizer, given or trained")
    shards: int | None = Field(
        None,
        ge=1,
        le=99_999,
        description="number of training shards; default: an even number, one for about 8 MiB of input",
    )
    unit_rows: int = Field(
        250_000, ge=1, le=1 << 40, description="lines a worker reads at a time from an uncompressed file"
    )
    max_line_bytes: int = Field(1 << 20, ge=1, lt=1 << 31, description="longer lines are unreadable, in bytes")
    on_error: Literal["reject", "fail"] = Field(
        "reject", description="an unreadable row (not UTF-8, bad JSON, missing column) is counted, or ends the run"
    )

    @pydantic.field_validator("near_duplicates", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        """`true` means the defaults, `false` that they are not looked for."""
        return {True: {}, False: None}[value] if isinstance(value, bool) else value
