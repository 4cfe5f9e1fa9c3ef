"""However generations come, runs stay few and entries are seldom written again."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.known.tiers import merged_from


def grown(sizes: list[int]) -> tuple[list[int], int]:
    """The runs that stand when runs of these sizes have come one after the other, and how much was written again."""
    standing: list[int] = []
    again = 0
    for size in sizes:
        begin = merged_from(standing)
        if begin is not None:
            again += sum(standing[begin:])
            standing[begin:] = [sum(standing[begin:])]
        standing.append(size)
    return standing, again


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=300))
def test_runs_are_few_and_entries_written_seldom(sizes: list[int]) -> None:
    standing, again = grown(sizes)
    total = sum(sizes)
    assert sum(standing) == total
    assert all(older >= 2 * newer for older, newer in itertools.pairwise(standing[:-1]))
    assert len(standing) <= math.log2(total) + 2
    assert again <= total * (math.log2(total) + 1)


def test_two_thousand_like_ones() -> None:
    standing, again = grown([100] * 2000)
    assert len(standing) <= 11
    assert again < 2000 * 100 * 11


def test_a_least_number_is_taken_whatever_their_sizes() -> None:
    assert merged_from([]) is None
    assert merged_from([5], 2) is None
    assert merged_from([100, 1]) is None
    assert merged_from([100, 1], 2) == 0
    assert merged_from([2000, 900, 1, 1], 3) == 1
    assert merged_from([1000, 1, 1, 1], 3) == 1
