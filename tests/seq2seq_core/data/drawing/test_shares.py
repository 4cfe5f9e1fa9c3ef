from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.config import build
from seq2seq_core.data.drawing.shares import Mixed, MixtureConfig
from seq2seq_core.errors import ConfigError

ROWS = st.lists(st.integers(1, 10**9), min_size=1, max_size=6)


@given(ROWS)
def test_without_more_said_an_epoch_has_every_row_once(rows: list[int]) -> None:
    assert MixtureConfig().draws(rows) == tuple(rows)


@given(ROWS, st.floats(0.1, 1e6))
def test_an_epoch_has_as_many_rows_as_there_are_and_some_of_each(rows: list[int], temperature: float) -> None:
    draws = MixtureConfig(temperature=temperature).draws(rows)
    assert min(draws) >= 1
    assert sum(rows) <= sum(draws) <= sum(rows) + len(rows)


def test_a_temperature_flattens_shares() -> None:
    rows = [8000, 1000, 1000]
    assert MixtureConfig(temperature=3).draws(rows) == (5000, 2500, 2500)
    assert MixtureConfig(temperature=1e6).draws(rows) == (3334, 3333, 3333)


def test_weights_are_parts_of_their_sum() -> None:
    assert MixtureConfig(weights=(3, 1)).draws([100, 900]) == (750, 250)
    assert MixtureConfig(weights=(1, 1e-9)).draws([100, 900]) == (999, 1)


def test_both_at_once_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"weights \(1, 2\) and temperature \(5\) both say"):
        build(MixtureConfig, {"weights": [1, 2], "temperature": 5})
    for weights in ([0, 1], [-1], [float("inf")], [1e10]):
        with pytest.raises(ConfigError):
            build(MixtureConfig, {"weights": weights})


def test_rows_of_datasets_follow_one_another() -> None:
    assert Mixed(("a", "b"), (3, 4), MixtureConfig()).ends == (3, 7)
