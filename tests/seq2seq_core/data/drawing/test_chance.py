from __future__ import annotations

import numpy as np

from seq2seq_core.data.drawing.chance import chances, low, random_bits, random_order, shuffled


def test_bits_follow_from_all_that_they_are_for() -> None:
    """Frozen values: positions of a stream mean nothing where other bits are drawn."""
    first = {(e, n, u): int(random_bits(7, e, n, u).random_raw()) for e in (0, 1) for n in (0, 1) for u in (0, 1)}
    assert len(set(first.values())) == len(first)
    assert first[0, 0, 0] == 16086915834549238692


def test_an_order_has_everything_once() -> None:
    order = random_order(random_bits(1, 0), 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert low(shuffled(random_bits(1, 0), 1000)).tolist() == order.tolist()
    assert order.tolist() != list(range(1000))


def test_chances_are_even() -> None:
    found = chances(random_bits(1, 0), 10_000)
    assert found.min() >= 0
    assert found.max() < 1
    assert np.histogram(found, 4, (0, 1))[0].min() > 2300
