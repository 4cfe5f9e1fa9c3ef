"""Neighbours are put together in order, and few files are left."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.compaction.packing import packed


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 150))
def test_every_file_once_in_order_and_no_two_groups_fit_together(sizes: list[int], most: int) -> None:
    groups = packed(sizes, most)
    assert list(itertools.chain(*groups)) == list(range(len(sizes)))
    totals = [sum(sizes[place] for place in group) for group in groups]
    assert all(total <= most or len(group) == 1 for total, group in zip(totals, groups, strict=True))
    assert all(sum(pair) > most for pair in itertools.pairwise(totals))
