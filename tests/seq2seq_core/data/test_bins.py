from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.data.bins import LengthOrder, by_length, cut, micro_batches, widths_of
from seq2seq_core.dataset.reader import Lengths


def lengths_of(rows: int, seed: int = 0, most: int = 30) -> Lengths:
    random = np.random.default_rng(seed)
    source, target = random.integers(0, most + 1, (2, rows), dtype=np.int32)
    return Lengths(source, target)


cases = st.builds(lengths_of, st.integers(0, 200), st.integers(0, 99), st.integers(0, 20))


def order_as_it_is_told(lengths: Lengths) -> list[int]:
    """By width, then by source minus target length, up in even widths and down in odd ones, then as they stand."""
    widths = [max(*row) + 1 for row in zip(*map(np.ndarray.tolist, lengths), strict=True)]
    signed = [(s - t) * (-1) ** w for s, t, w in zip(*map(np.ndarray.tolist, lengths), widths, strict=True)]
    return sorted(range(len(widths)), key=lambda row: (widths[row], signed[row]))


@settings(max_examples=100, deadline=None)
@given(cases, st.sampled_from([0, 1000, 1 << 24]))
def test_the_order_by_length(lengths: Lengths, more: int) -> None:
    """Keys of 32 bits, of 64, and those beside which no position has room."""
    expected = order_as_it_is_told(lengths)
    assert by_length(lengths).tolist() == expected
    order = LengthOrder(int(widths_of(lengths).max(initial=0)) + more)
    keys = order.keys(lengths)
    assert keys.dtype == (np.uint32 if more <= 1000 else np.uint64)
    assert order.sorted(keys).tolist() == expected
    assert order.widths(keys).tolist() == widths_of(lengths).tolist()


def test_keys_beside_which_no_position_has_room() -> None:
    random = np.random.default_rng(0)
    lengths = Lengths(*random.integers(0, 1 << 24, (2, 70_000), dtype=np.int32))
    order = LengthOrder(1 << 24)
    assert order.sorted(order.keys(lengths)).tolist() == order_as_it_is_told(lengths)
    few = Lengths(lengths.source[:9], lengths.target[:9])
    assert order.sorted(order.keys(few)).tolist() == order_as_it_is_told(few)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 90))
def test_bins_are_cut_greedily(widths: list[int], limit: int) -> None:
    widths.sort()
    expected, opened = [], 0
    for row, width in enumerate(widths):
        if row > opened and (row + 1 - opened) * width > limit:
            expected.append(row)
            opened = row
    assert cut(np.array(widths, np.int64), limit).tolist() == [*expected, *([len(widths)] if widths else [])]


@settings(max_examples=100, deadline=None)
@given(cases, st.integers(1, 80))
def test_micro_batches(lengths: Lengths, limit: int) -> None:
    rows = by_length(lengths)
    of = Lengths(lengths.source[rows], lengths.target[rows])
    pieces = micro_batches(rows, of, limit)
    assert np.concatenate([np.zeros(0), *pieces]).tolist() == rows.tolist()
    sizes = [(len(piece), int(widths_of(lengths)[piece].max())) for piece in pieces]
    assert all(count * width <= limit or count == 1 for count, width in sizes)
    following = [int(widths_of(lengths)[piece][0]) for piece in pieces[1:]]
    assert all((count + 1) * width > limit for (count, _), width in zip(sizes, following, strict=False))


def test_no_rows_are_no_micro_batches() -> None:
    assert micro_batches(np.zeros(0, np.int64), lengths_of(0), 10) == []
