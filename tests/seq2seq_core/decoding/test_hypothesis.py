from __future__ import annotations

import pytest

from seq2seq_core.decoding.hypothesis import SearchConfig


@pytest.mark.parametrize(("length", "longest"), [(0, 20), (7, 34), (1 << 40, 1 << 20)])
def test_an_output_is_as_long_as_its_source_allows_and_no_length_is_too_large(length: int, longest: int) -> None:
    assert SearchConfig().max_length(length) == longest


def test_a_ratio_without_bounds_is_no_overflow() -> None:
    config = SearchConfig.model_construct(max_length_ratio=1e308, max_length_extra=1)
    assert config.max_length(100) == 1 << 20
