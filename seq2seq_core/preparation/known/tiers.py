"""The sizes of runs in, which of them become one out: so that there are few, and each entry is written few times.

A run that is less than twice as large as all newer ones together is merged with them. So sizes at least double from
run to run, of N entries there are at most some log2(N) runs, and an entry is written again only into a run of at least
half as many entries more: log2(N) times at most (the logarithmic method of Bentley and Saxe 1980, as log-structured
merge trees have it). A generation pays by what it adds, on the average, however much stands there already.
"""

from __future__ import annotations

from collections.abc import Sequence

_RATIO = 2


def merged_from(sizes: Sequence[int], least: int = 1) -> int | None:
    """The first of the runs, the oldest first, that become one with all newer ones; None where none do.

    Args:
        sizes: Of all runs.
        least: As many of the newest are taken in any case.
    """
    begin = max(0, len(sizes) - least)
    total = sum(sizes[begin:])
    while begin and sizes[begin - 1] < _RATIO * total:
        begin -= 1
        total += sizes[begin]
    return begin if len(sizes) - begin > 1 else None
