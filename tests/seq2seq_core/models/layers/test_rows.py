from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.models.layers.rows import length_mask, moved_sentences


def test_length_mask() -> None:
    assert length_mask(torch.tensor([2, 0, 3]), 3).int().tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.tuples(
            st.just(width),
            st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, width - 1), min_size=width, max_size=width))),
        )
    )
)
def test_moved_sentences(case: tuple[int, list[tuple[int, list[int]]]]) -> None:
    width, groups = case
    parents = torch.tensor([s * width + slot for s, slots in groups for slot in slots], dtype=torch.int64)
    origins = [s for s, _ in groups]
    moved = moved_sentences(parents, width, sentences=6)
    assert (list(range(6)) if moved is None else moved.tolist()) == origins


def test_sentences_that_stay_need_no_copy() -> None:
    assert moved_sentences(torch.tensor([1, 1, 2, 3]), width=2, sentences=2) is None
