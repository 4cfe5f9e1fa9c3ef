"""Digests of many rows at once are the library's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.shuffle import xxh3

LENGTHS = [*range(270), *range(300, 1100, 7), 1023, 1024, 1025, 3000]


@pytest.fixture(autouse=True, scope="module")
def _no_rows_are_few() -> Iterator[None]:
    """NumPy hashes even a single row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xxh3, "_FEW", 0)
        yield


def library(rows: list[bytes]) -> list[bytes]:
    return [xxhash.xxh3_128_digest(row) for row in rows]


def ours(rows: list[bytes], before: bytes = b"") -> list[bytes]:
    offsets = len(before) + np.cumsum([0, *map(len, rows)])
    return [row.tobytes() for row in xxh3.digests(offsets, np.frombuffer(before + b"".join(rows), np.uint8))]


@pytest.mark.parametrize("few", [3, 8192])
def test_rows_of_every_length(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xxh3, "_ROWS", few)
    draw = np.random.default_rng(0)
    rows = [draw.bytes(length) for length in draw.permutation(LENGTHS * 4)]
    assert ours(rows, before=b"?") == library(rows)
    assert ours(rows[:50][::-1]) == library(rows[:50][::-1])


def test_lengths_that_few_and_many_rows_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xxh3, "_FEW", 5)
    draw = np.random.default_rng(1)
    rows = [draw.bytes(length) for length in draw.permutation([50] * 9 + [100] * 5 + [200] * 4 + [300])]
    assert ours(rows) == library(rows)


@given(st.lists(st.text(max_size=300).map(str.encode) | st.binary(max_size=1200), max_size=12))
def test_any_rows(rows: list[bytes]) -> None:
    assert ours(rows) == library(rows)


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=9))
def test_rows_of_32_bytes(rows: list[bytes]) -> None:
    octets = np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 32)
    assert [row.tobytes() for row in xxh3.digests_of_32(octets)] == library(rows)
