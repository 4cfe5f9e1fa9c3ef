"""The base of all messages, and a corpus as workers see it: what it is for, and how its rows are judged."""

from __future__ import annotations

from typing import Literal

import pydantic

from seq2seq_core.dataset.schema import Split
from seq2seq_core.text.normalize import NormalizeConfig
from seq2seq_core.text.rules.base import Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig

Role = Split | Literal["benchmark"]
"""What rows are for: a split, or (benchmark) nothing but to be kept out of training."""

GIVEN_ROLES: tuple[Role, ...] = ("valid", "test", "benchmark")
"""Those of sets that are given as files."""


class Message(pydantic.BaseModel):
    """The base of everything that crosses from worker to worker or lies in a marker file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Corpus(Message):
    """A corpus, or the files of a held-out set, with what the run's configuration and its own come to together.

    Attributes:
        weight: How often an epoch of training passes over it.
        max_rows: At most so many of its rows are kept; None: all.
        tag: The control piece put before every source, `>>de<<`; None: none.
        has_source: Whether rows have a source of text.
        measured: What is measured of a source that is no text, for rules.
        min_score: Rows with a lower score are rejected; None: none.
    """

    name: str
    role: Role
    weight: float = 1.0
    max_rows: int | None = None
    source_language: str | None = None
    target_language: str | None = None
    tag: str | None = None
    has_source: bool = True
    measured: tuple[str, ...] = ()
    min_score: float | None = None
    normalize: NormalizeConfig
    filters: FiltersConfig

    @property
    def sides(self) -> Sides:
        """What rules are told of the two sides."""
        return Sides(self.source_language, self.target_language, self.has_source, self.measured)

    @pydantic.model_serializer(mode="wrap")
    def _without_nothing(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, object]:
        """Of text nothing is said of it: recipes are named by how corpora are judged. Nor is of a score that none needs
        to have.
        """
        values = dump(self).items()
        return {name: value for name, value in values if name not in ("measured", "min_score") or value or value == 0}
