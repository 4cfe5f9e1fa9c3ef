from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding.steps.limits import MinimumLength, NoRepeats, _Repeats
from seq2seq_core.models.interface import Memory
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID

VOCABULARY = 7


def memory(*lengths: int) -> Memory:
    mask_BS = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Memory(torch.zeros(*mask_BS.shape, 1), mask_BS)


def zeros(rows: int) -> torch.Tensor:
    return torch.zeros(rows, VOCABULARY)


def bos(rows: int) -> torch.Tensor:
    return torch.full((rows,), BOS_ID)


def may_end(process: Any, rows: int) -> list[bool]:
    return (process(zeros(rows), bos(rows))[:, EOS_ID] == 0).tolist()


def test_an_output_may_end_when_it_has_its_tokens(hashed_model: Callable[..., Any]) -> None:
    process = MinimumLength(0.5).start(hashed_model(), memory(7, 1, 4), 2)
    assert may_end(process, 6) == [False, False, True, True, False, False]
    process.reorder(torch.tensor([0, 1, 5, 4]))  # the second sentence leaves
    assert may_end(process, 4) == [False, False, True, True]
    assert may_end(process, 4) == [False, False, True, True]
    assert may_end(process, 4) == [True] * 4


def test_nothing_has_to_be_longer_than_the_model_reaches(hashed_model: Callable[..., Any]) -> None:
    model = hashed_model()
    model.max_length = 2
    process = MinimumLength(1.0).start(model, memory(30), 1)
    assert [may_end(process, 1) for _ in range(3)] == [[False], [True], [True]]


def banned_slowly(tokens: list[int], n: int, times: int) -> list[int]:
    """The tokens that would make some n tokens in a row come again once too often."""
    banned = []
    for token in range(VOCABULARY):
        longer = [*tokens, token]
        windows = [longer[i : i + n] for i in range(len(longer) - n + 1)]
        if windows and windows[:-1].count(windows[-1]) > times:
            banned.append(token)
    return banned


@given(st.lists(st.lists(st.integers(4, 6), min_size=8, max_size=8), min_size=1, max_size=3), st.integers(1, 4))
@pytest.mark.parametrize("times", [0, 2])
def test_what_came_often_enough_cannot_come_again(times: int, rows: list[list[int]], n: int) -> None:
    process = _Repeats(NoRepeats(n, times))
    assert not process(zeros(len(rows)), bos(len(rows))).any()
    for length in range(1, 9):
        found_NV = process(zeros(len(rows)), torch.tensor([row[length - 1] for row in rows]))
        for row, scores_V in zip(rows, found_NV, strict=True):
            assert (scores_V == -torch.inf).nonzero().flatten().tolist() == banned_slowly(row[:length], n, times)


def test_what_was_said_moves_with_the_beam(hashed_model: Callable[..., Any]) -> None:
    process = NoRepeats(1, 0).start(hashed_model(), memory(3, 3), 2)
    process.reorder(torch.tensor([0, 1, 2, 3]))
    process(zeros(4), bos(4))
    process(zeros(4), torch.tensor([4, 5, 6, 4]))
    process.reorder(torch.tensor([3, 2]))
    found_NV = process(zeros(2), torch.tensor([5, 5]))
    assert (found_NV == -torch.inf).nonzero().tolist() == [[0, 4], [0, 5], [1, 5], [1, 6]]
