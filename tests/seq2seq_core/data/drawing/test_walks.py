from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import storage
from seq2seq_core.data.drawing.walks import Numbers, Walk
from tests.row_lengths import weights_of

SIZES = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 80)), min_size=1, max_size=4)


def kept(walk: Walk) -> Numbers:
    return np.arange(walk.ends[-1], dtype=np.uint32)


def walk_of(sizes: list[tuple[int, int]]) -> Walk:
    return Walk(tuple(np.cumsum([rows for rows, _ in sizes]).tolist()), tuple(draws for _, draws in sizes))


@settings(max_examples=50, deadline=None)
@given(SIZES, st.integers(0, 9))
def test_no_row_comes_again_before_all_others_of_its_dataset_came(sizes: list[tuple[int, int]], seed: int) -> None:
    walk = walk_of(sizes)
    epochs = [walk.drawn(seed, epoch, kept(walk), None) for epoch in range(6)]
    begin = 0
    for end, draws in zip(walk.ends, walk.draws, strict=True):
        walked = [row for epoch in epochs for row in epoch.tolist() if begin <= row < end]
        assert len(walked) == 6 * draws
        rounds = [walked[i : i + end - begin] for i in range(0, len(walked), end - begin)]
        assert all(sorted(one) == list(range(begin, end)) for one in rounds if len(one) == end - begin)
        assert len(set(rounds[-1])) == len(rounds[-1])
        begin = end


def test_rows_that_are_left_out_are_not_drawn() -> None:
    walk = Walk((10, 30), (40, 7))
    left = np.array([1, 5, 11, 12, 29], np.uint32)
    for epoch in range(5):
        drawn = walk.drawn(3, epoch, left, None)
        assert set(drawn.tolist()) <= set(left.tolist())
        assert Counter(row < 10 for row in drawn.tolist()) == {True: 40, False: 7}


def test_weights_of_corpora_hold_within_a_dataset() -> None:
    weights = weights_of(np.repeat([0.25, 2.5, 1.0], [100, 40, 20]))
    walk = Walk((140, 160), (1250, 30))  # ten rounds of 125 rows, and one and a half of 20
    drawn = Counter(walk.drawn(1, 0, kept(walk), weights).tolist())
    of_each = [[drawn[row] for row in rows] for rows in (range(100), range(100, 140), range(140, 160))]
    assert [sum(counts) for counts in of_each] == [pytest.approx(250, abs=10), pytest.approx(1000, abs=10), 30]
    assert max(of_each[0]) <= 10
    assert min(of_each[1]) >= 20
    assert set(of_each[2]) == {1, 2}


def test_walks_are_the_same_on_every_machine_and_version() -> None:
    """Frozen values: whoever changes them on purpose raises the version of the stream."""
    weights = weights_of(np.tile([0.5, 3.0], 20))
    walk = Walk((15, 40), (31, 9))
    drawn = np.concatenate([walk.drawn(7, epoch, kept(walk), by) for epoch in range(4) for by in (None, weights)])
    assert storage.digest_bytes(drawn.tobytes()) == "a6db9c0151bf8850b3b5aad83475ccbe"
