from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.tokenizer.sampling.chances import draws, keys_of_rows, within

NUMBERS = st.integers(0, 1 << 40)


@given(st.integers(0, 1 << 63), st.integers(0, 3), NUMBERS, st.lists(NUMBERS, min_size=1, max_size=20))
def test_a_place_has_one_number_whoever_looks(seed: int, use: int, position: int, rows: list[int]) -> None:
    together = keys_of_rows(seed, use, np.full(len(rows), position), np.array(rows))
    alone = [keys_of_rows(seed, use, np.array([position]), np.array([row]))[0] for row in rows]
    assert together.tolist() == alone
    assert ((draws(together) >= 0) & (draws(together) < 1)).all()


def test_numbers_of_neighbouring_places_have_nothing_to_do_with_one_another() -> None:
    rows = np.arange(20_000)
    found = [
        draws(keys_of_rows(seed, use, np.full(len(rows), at), rows))
        for seed in (1, 2)
        for use in (0, 1)
        for at in (5, 6)
    ]
    found.append(draws(within(keys_of_rows(1, 0, np.full(len(rows), 5), rows), 0)))
    for values in found:
        counts = np.bincount((values * 16).astype(int), minlength=16)
        assert abs(counts / len(rows) - 1 / 16).max() < 0.01
    correlations = np.corrcoef(np.stack([*found, np.roll(found[0], 1)]))
    assert abs(correlations - np.eye(len(correlations))).max() < 0.03
