"""What stands in the zones and what is known of it in; what is whole, what has gone and what makes the next batch, out.

Nothing here looks at a clock or a store: what comes out follows from what goes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from seq2seq_core.landing.terms import Landed, Seen, Waiting

BYTES_A_ROW = 100.0
"""Of files of which nothing is known yet."""


class Look(NamedTuple):
    """What a look has found.

    Attributes:
        whole: What can be taken, the first landed first; a key that is known stands there in a new version.
        waiting: What is there and not taken, by key: to be given to the next look.
        gone: Keys that are known and stand there no more, sorted.
    """

    whole: list[Landed]
    waiting: dict[str, Waiting]
    gone: list[str]


class Pace(NamedTuple):
    """When a batch is made of what has landed.

    Attributes:
        seconds: At the latest so long after the one before.
        rows: Sooner, when about so many rows are there; a batch takes no more. None: no matter how many.
        files: The same of files.
        first_rows: The first batch waits for about so many rows.
    """

    seconds: float
    rows: int | None = None
    files: int = 1000
    first_rows: int = 0


def compare(
    listing: Iterable[Seen],
    known: Mapping[str, str],
    waiting: Mapping[str, Waiting],
    now: float,
    needs_seconds: Callable[[Seen], float],
) -> Look:
    """See what can be taken.

    Args:
        listing: All that stands in the zones now; of two with one key the first counts.
        known: The version of each key that was handled, or is being handled.
        waiting: What the look before gave.
        now: The time, in seconds.
        needs_seconds: For how long something must not have changed to be whole.
    """
    whole: list[Landed] = []
    left: dict[str, Waiting] = {}
    present: set[str] = set()
    for seen in listing:
        if seen.key in present:
            continue
        present.add(seen.key)
        if known.get(seen.key) == seen.version:
            continue
        before = waiting.get(seen.key)
        is_same = before is not None and before.version == seen.version
        entry = before if before is not None and is_same else Waiting(seen.version, now, now, seen.bytes)
        left[seen.key] = entry
        if now - entry.since >= needs_seconds(seen):
            whole.append(Landed(**seen._asdict(), landed=entry.landed))
    whole.sort(key=lambda landed: (landed.landed, landed.key))
    return Look(whole, left, sorted(known.keys() - present))


def choose(whole: Sequence[Landed], seconds: float | None, pace: Pace, bytes_a_row: float) -> list[Landed]:
    """What makes a batch now: the first of what is whole; nothing where it is not time yet.

    Args:
        whole: What can be taken, in order.
        seconds: Since the batch before was begun; None where there is none.
        pace: When it is time.
        bytes_a_row: About how large a row is.
    """
    if not whole:
        return []
    total = sum(landed.bytes for landed in whole)
    if seconds is None and total < pace.first_rows * bytes_a_row:
        return []
    most_bytes = None if pace.rows is None else pace.rows * bytes_a_row
    is_full = len(whole) >= pace.files or (most_bytes is not None and total >= most_bytes)
    if seconds is not None and seconds < pace.seconds and not is_full:
        return []
    if seconds is None and pace.first_rows:
        most_bytes = None if most_bytes is None else max(most_bytes, pace.first_rows * bytes_a_row)
    chosen: list[Landed] = []
    taken = 0
    for landed in whole[: pace.files]:
        if chosen and most_bytes is not None and taken + landed.bytes > most_bytes:
            break
        chosen.append(landed)
        taken += landed.bytes
    return chosen
