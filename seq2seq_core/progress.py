"""Counts of finished work in, the one way to say how far it is out: rate and time left, for whoever shows or keeps it.

What passes here is shown on a bar or in log lines, served as metrics, and kept with the sign of life of a claim.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

_DIGITS = 3


@dataclass(frozen=True)
class Lag:
    """What has landed and is not published yet.

    Attributes:
        files: How many files.
        rows: How many rows are in them, as far as that is known.
        oldest_seconds: How long ago the oldest of them has landed; 0 where there is none.
    """

    files: int
    rows: int
    oldest_seconds: float

    def __str__(self) -> str:
        if not self.files:
            return "nothing waits"
        return f"{self.files:,} files, {self.rows:,} rows wait, the oldest for {clock(self.oldest_seconds)}"


@dataclass(frozen=True)
class Progress:
    """How far a phase of some work is.

    Attributes:
        phase: What is being done; empty where there is one phase only.
        parts: What the work is cut into (`units`), `parts_done` of `parts_total` are finished; empty: it is not cut.
        noun: What is counted in them (`rows`), `done` of `total`; a total of 0 is not known, or there is none.
        before: How many were done before the watch of this phase began.
        seconds: Time since then.
        failed: How many of those that are done have failed.
        lag: Of work that follows what lands, what waits; None for any other.
    """

    phase: str
    parts: str
    parts_done: int
    parts_total: int
    noun: str
    done: int
    total: int
    before: int
    seconds: float
    failed: int = 0
    lag: Lag | None = None

    @property
    def rate(self) -> float:
        """How many a second."""
        return (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at the present rate; None while there is none, or no end."""
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total else None

    @property
    def parts_text(self) -> str:
        return f"{self.parts} {self.parts_done:,}/{self.parts_total:,}" if self.parts else ""

    @property
    def figures(self) -> dict[str, Any]:
        """The same for programs; what is not known is None."""
        left = self.seconds_left
        return {
            **dataclasses.asdict(self),
            "total": self.total or None,
            "per_second": round(self.rate, _DIGITS),
            "seconds_left": None if left is None else round(left, _DIGITS),
        }

    def __str__(self) -> str:
        facts = [self.parts_text] if self.parts else []
        if self.total or self.done:
            facts.append(f"{self.noun} {self.done:,}{f'/{self.total:,}' if self.total else ''}")
        if self.rate > 0:
            facts.append(f"{self.rate:,.1f} {self.noun}/s")
        if self.seconds_left:
            facts.append(f"{clock(self.seconds_left)} left")
        if self.failed:
            facts.append(f"{self.failed:,} failed")
        if self.lag is not None:
            facts.append(str(self.lag))
        return ": ".join(text for text in (self.phase, ", ".join(facts)) if text)


class Watch(Protocol):
    """Looks at a piece of work again and again."""

    def look(self, now: float) -> Progress | None:
        """How far it is at a time in seconds; None while there is nothing to see."""


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
