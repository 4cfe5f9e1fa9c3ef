"""When generations of a dataset are folded into one, and how long what they leave stays, as a configuration."""

from __future__ import annotations

from pydantic import Field

from seq2seq_core.config import Config


class GraceConfig(Config):
    """How long readers have to leave files alone that they have opened."""

    grace_seconds: float = Field(
        3600.0,
        ge=0,
        le=1e9,
        description="files that folded generations leave are removed after so many seconds, by a later run: readers "
        "that have opened the dataset before read them until then",
    )


class CompactionConfig(GraceConfig):
    """When generations are folded into one."""

    beyond: int | None = Field(
        32, ge=1, le=10_000, description="fold generations beyond so many (the newest, of like sizes); null: never"
    )
