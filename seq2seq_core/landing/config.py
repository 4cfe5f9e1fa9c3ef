"""How files land in, as a user says it: which of them are whole, and what becomes of those that change."""

from __future__ import annotations

from typing import Literal, Self

import pydantic
from pydantic import Field

from seq2seq_core.config import Config

NAME = "{name}"


class LandingConfig(Config):
    """When a file in a landing zone is taken.

    A file that is still being written must not be: `settled` waits until its size and time have not changed for a
    while, which is safe for whoever copies at a steady pace. `renamed` and `marked` are exact where those who deliver
    keep to them.
    """

    whole: Literal["settled", "renamed", "marked"] = Field(
        "settled",
        description="what makes a file whole. settled: its size and time are unchanged for settle_seconds; renamed: "
        "it is written under another name (hidden, or one of unfinished) and then renamed; marked: the marker stands "
        "beside it",
    )
    settle_seconds: float | None = Field(
        None,
        ge=0,
        le=86_400,
        description="so long a file must not change; default: 5, and 0 on object stores, where what is there is whole",
    )
    marker: str = Field(
        f"{NAME}.done",
        min_length=1,
        description=f"of marked: the file that says that another is whole, {NAME} being that one; without {NAME} it "
        "speaks for all files of its folder (_SUCCESS)",
    )
    unfinished: tuple[str, ...] = Field(
        ("*.tmp", "*.part", "*.partial", "*.filepart", "*.crdownload"),
        description="names that are never taken, as globs; hidden files (.name, _name) are not either",
    )
    changed: Literal["take", "replace", "error"] = Field(
        "take",
        description="a file of a name that was taken has other content. take: rows that are new are added, an answer "
        "is replaced; replace: the rows of its old content are taken out as well; error: end",
    )
    look_seconds: float = Field(
        1.0, gt=0, le=86_400, description="pause between two looks at the zones; longer where a look takes long"
    )
    patience_seconds: float = Field(
        300.0, ge=0, le=1e9, description="so long a zone may not be readable before this ends with the error"
    )

    @pydantic.model_validator(mode="after")
    def _marker_is_a_name(self) -> Self:
        if "/" in self.marker or self.marker == NAME:
            raise ValueError(f"the marker is a name in the folder of the file, and another one; found {self.marker!r}")
        return self
