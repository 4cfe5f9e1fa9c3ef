from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.errors import ConfigError, ModelError
from seq2seq_core.inference.isolation import isolated


def doubled(items: Sequence[int]) -> list[int]:
    """Fails where an odd one is among them."""
    if any(item % 2 for item in items):
        raise ValueError("odd\nmore")
    return [2 * item for item in items]


@given(st.lists(st.integers(0, 9), max_size=40))
def test_what_fails_alone_is_left_out_alone(items: list[int]) -> None:
    expected = ["ValueError: odd" if item % 2 else 2 * item for item in items]
    assert isolated(doubled, items, 0, "numbers") == expected


def test_an_engine_that_fails_on_nothing_is_broken_as_a_whole() -> None:
    with pytest.raises(ModelError, match="fails on every input, even an empty one; found ValueError: odd"):
        isolated(doubled, [2, 3], 1, "numbers")

    def refuse(items: Sequence[int]) -> list[int]:
        raise ConfigError("no such device")

    with pytest.raises(ConfigError, match="no such device"):
        isolated(refuse, [2], 0, "numbers")
