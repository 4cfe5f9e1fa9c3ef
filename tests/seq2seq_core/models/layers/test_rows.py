from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.models.layers.rows import Taking, closed_up, length_mask, moved_sentences


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


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_those_that_go_on_close_up_and_take_what_is_theirs_along(going: list[bool]) -> None:
    kept = closed_up(torch.tensor(going))
    assert sorted(kept.tolist()) == [place for place, goes in enumerate(going) if goes]
    assert all(place == row for row, place in enumerate(kept.tolist()) if place < len(kept)), "nobody moves in vain"
    whole = torch.arange(2.0 * len(going) * 3).view(2, -1, 1, 3, 1)
    of_all, of_two = whole.clone(), whole.clone()
    taking = Taking(kept)
    taken = taking.of(of_all)
    assert torch.equal(taken, whole[:, kept])
    assert not len(kept) or taken.data_ptr() == of_all.data_ptr()
    assert torch.equal(taking.of(of_two, 2)[:, :, :, :2], whole[:, kept, :, :2])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_sentences_in_any_order_are_copied(sentences: list[int]) -> None:
    whole = torch.arange(24.0).view(2, 4, 1, 3, 1)
    assert torch.equal(Taking(torch.tensor(sentences)).of(whole.clone(), 2)[:, :, :, :2], whole[:, sentences, :, :2])
