"""The sizes of files that follow one another in; which neighbours become one file, so that few are left, out."""

from __future__ import annotations

from collections.abc import Sequence


def packed(sizes: Sequence[int], most: int) -> list[range]:
    """The files, each once and in their order: neighbours that are together no larger than `most`, or one alone.

    Of neighbouring groups both together are larger than `most`, so there are at most twice as many as would do.
    """
    groups: list[range] = []
    total = 0
    for place, size in enumerate(sizes):
        total += size
        if groups and total <= most:
            groups[-1] = range(groups[-1].start, place + 1)
        else:
            groups.append(range(place, place + 1))
            total = size
    return groups
