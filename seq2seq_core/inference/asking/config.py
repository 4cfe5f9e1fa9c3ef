"""Keys in; what is demanded of every output out, as plain values that name it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seq2seq_core import storage
from seq2seq_core.config import Config, Location


class DemandsConfig(Config):
    """What outputs have to hold, whatever the model thinks of it."""

    prefix: str = Field("", max_length=1 << 16, description="what the translation of every segment begins with")
    prefix_field: str | None = Field(
        None,
        min_length=1,
        description="field of a record with what its own translation begins with, behind prefix; null: none",
    )
    glossary: Location | None = Field(
        None,
        description="file with a phrase, a tab and its translation a line: where a segment has the one, the output has "
        "the other",
    )

    @property
    def asked(self) -> frozenset[str]:
        """The keys that demand something."""
        return frozenset(name for name in type(self).model_fields if getattr(self, name))

    def identity(self) -> dict[str, Any]:
        """What shapes the output of a segment, by its content; empty where nothing is demanded of all.

        Raises:
            StorageError: The glossary is missing.
        """
        found: dict[str, Any] = {"prefix": self.prefix} if self.prefix else {}
        return found | ({"glossary": storage.digest_file(self.glossary)} if self.glossary else {})
