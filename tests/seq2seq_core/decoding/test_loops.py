from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.decoding.loops import _repetitions, find_loops

ROWS = st.lists(st.lists(st.integers(0, 2), max_size=30).map(lambda row: np.array(row, np.int32)), max_size=5)


def array(*ids: int) -> np.ndarray:
    return np.array(ids, np.int32)


def count_slowly(row: np.ndarray, n: int) -> int:
    best = 1
    for start in range(len(row)):
        count = 1
        while len(row) >= start + (count + 1) * n and (
            row[start : start + n].tolist() == row[start + count * n : start + (count + 1) * n].tolist()
        ):
            count += 1
        best = max(best, count)
    return best


@given(ROWS.filter(len))
def test_repetitions_are_those_a_slow_look_finds(rows: list[np.ndarray]) -> None:
    assert _repetitions(rows).tolist() == [[count_slowly(row, n) for n in range(1, 9)] for row in rows]


def test_four_times_in_a_row_is_a_loop_and_six_of_one_id() -> None:
    text = [array(9, *range(10, 10 + n)) for n in range(1, 9)]
    assert find_loops([array(1, *[5] * 6), array(1, *[5] * 5)], text[:2]).tolist() == [True, False]
    for n in range(2, 9):
        part = list(range(20, 20 + n))
        looping = [array(1, 2, *part * 4, 3), array(1, 2, *part * 3, *part[:-1]), array(1, *part * 40)]
        assert find_loops(looping, text[:3]).tolist() == [True, False, True]


def test_what_the_source_repeats_itself_is_no_loop() -> None:
    sources = [array(*[7] * 6), array(*[7] * 6), array(7, 8, 7, 8, 7, 8, 7, 8)]
    outputs = [array(*[3] * 8), array(*[3] * 40), array(*[3, 4, 5] * 5)]
    assert find_loops(outputs, sources).tolist() == [False, True, False]


def test_neighbours_and_empty_outputs_do_not_matter() -> None:
    outputs = [array(1, 5, 5, 5), array(), array(5, 5, 5, 2)]
    assert find_loops(outputs, [array()] * 3).tolist() == [False] * 3
    assert find_loops([], []).tolist() == []
    assert find_loops([array()], [array()]).tolist() == [False]
