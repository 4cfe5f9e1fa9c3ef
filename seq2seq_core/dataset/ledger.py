"""What became of rows in, counted; counts that add up to all that were read, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pydantic

from seq2seq_core.dataset.schema import Split


class Ledger(pydantic.BaseModel):
    """Where every row went: `read = sum(kept) + duplicates + sum(rejected) + replaced`.

    `copies` are rows of the training split that nobody read: other forms of rows that were kept (speech at other
    speeds), by what sort of copy they are. They stand in shards beside those. `rejected_seconds` is how long the rows
    are together that were rejected by a rule, where that was measured before. `replaced` rows were kept, and taken out
    when their file had other content: what a generation has taken out is less in its `kept`, which may be below 0.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    read: int
    kept: dict[Split, int]
    duplicates: int
    rejected: dict[str, int]
    copies: dict[str, int] = {}
    rejected_seconds: dict[str, float] = {}
    replaced: int = 0

    @pydantic.model_serializer(mode="wrap")
    def _without_nothing(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Where there are no copies nor seconds nothing is said of them, as before there were any."""
        unsaid = ("copies", "rejected_seconds", "replaced")
        return {name: value for name, value in dump(self).items() if name not in unsaid or value}

    def rows(self, split: Split) -> int:
        """How many rows of a split shards hold."""
        return self.kept.get(split, 0) + (sum(self.copies.values()) if split == "train" else 0)

    @property
    def balance(self) -> int:
        """Rows not accounted for; 0 in every published dataset."""
        return self.read - sum(self.kept.values()) - self.duplicates - sum(self.rejected.values()) - self.replaced

    def __add__(self, other: Ledger) -> Ledger:
        """The ledger of both together."""
        kept, rejected, copies = Counter(self.kept), Counter(self.rejected), Counter(self.copies)
        kept.update(other.kept)
        rejected.update(other.rejected)
        copies.update(other.copies)
        seconds = added(self.rejected_seconds, other.rejected_seconds)
        return Ledger(
            read=self.read + other.read,
            kept=dict(kept),
            duplicates=self.duplicates + other.duplicates,
            rejected=dict(sorted(rejected.items())),
            copies=dict(sorted(copies.items())),
            rejected_seconds=seconds,
            replaced=self.replaced + other.replaced,
        )


def added(*parts: Mapping[str, float]) -> dict[str, float]:
    """Seconds by name of all parts together, to the millisecond."""
    names = sorted({name for part in parts for name in part})
    return {name: round(sum(part.get(name, 0.0) for part in parts), 3) for name in names}
