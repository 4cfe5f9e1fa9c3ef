"""A ledger in, the steps of a funnel out: from rows read to rows kept."""

from __future__ import annotations

from dataclasses import dataclass

from seq2seq_core.dataset.ledger import Ledger


@dataclass(frozen=True)
class Removal:
    """One reason rows left the corpus for, and how many were there before and after."""

    name: str
    removed: int
    before: int

    @property
    def after(self) -> int:
        return self.before - self.removed


def funnel(ledger: Ledger) -> tuple[Removal, ...]:
    """Rejections by rule, the largest first, then duplicates; what is left of the last is what was kept."""
    reasons = sorted(ledger.rejected.items(), key=lambda item: (-item[1], item[0]))
    left = ledger.read
    steps = []
    for name, removed in (*reasons, ("duplicates", ledger.duplicates)):
        steps.append(Removal(name, removed, left))
        left -= removed
    return tuple(steps)
