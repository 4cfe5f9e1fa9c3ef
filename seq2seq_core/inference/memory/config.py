"""Which answers stand before the model: where they are kept between runs, and which files give them."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from seq2seq_core.config import Config, Location


class MemoryConfig(Config):
    """What is asked before the model."""

    url: Location | None = Field(
        None, description="folder, a path or URL, in which the answers of models are kept for later runs; null: none"
    )
    tmx: tuple[Location, ...] = Field(
        (),
        description="TMX files, whose translations go before the model's where a segment stands in them; of several "
        "the first. They are indexed in the folder at url",
    )
    languages: tuple[str, str] | None = Field(
        None, description="source and target among the languages of the TMX files; default: those of the texts"
    )

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.tmx and self.url is None:
            raise ValueError("tmx needs url, the folder in which TMX files are indexed")
        if self.languages and not self.tmx:
            raise ValueError("languages are those of TMX files, but tmx names none")
        return self
