"""Digests, and the order, ranges and fractions that follow from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.shuffle.hashing import digests, fractions, hash_order, hexadecimal, pair_digests, ranges
from seq2seq_core.preparation.terms.octets import from_column, to_column

TEXTS = st.lists(st.text(max_size=5), max_size=30)


@given(TEXTS)
def test_digests_are_those_of_the_bytes(texts: list[str]) -> None:
    rows = digests(pa.array(texts, pa.string()))
    assert [row.tobytes() for row in rows] == [xxhash.xxh3_128_digest(text.encode()) for text in texts]
    assert from_column(to_column(rows)[1:]).tolist() == rows[1:].tolist()


@given(TEXTS, st.integers(0, 2))
def test_hexadecimal_digits(texts: list[str], begin: int) -> None:
    column = to_column(digests(pa.array(texts, pa.string())))[begin:]
    found = hexadecimal(column)
    assert (found.type, found.to_pylist()) == (pa.string(), [row.hex() for row in column.to_pylist()])


def test_a_pair_is_more_than_its_text_joined() -> None:
    first, second = digests(pa.array(["ab", "a"])), digests(pa.array(["c", "bc"]))
    pairs = pair_digests(first, second)
    assert pairs[0].tobytes() != pairs[1].tobytes()


@given(TEXTS)
def test_hash_order_sorts_bytes_and_finds_the_first_of_each(texts: list[str]) -> None:
    rows = digests(pa.array(texts, pa.string()))
    keys = [row.tobytes() for row in rows]
    order, first = hash_order(rows)
    assert order.tolist() == sorted(range(len(keys)), key=lambda i: (keys[i], i))
    assert sorted(order[first].tolist()) == sorted(keys.index(key) for key in set(keys))


@given(st.lists(st.binary(min_size=2, max_size=2), max_size=30))
def test_hash_order_looks_at_all_bytes(ends: list[bytes]) -> None:
    keys = [end[:1] + bytes(14) + end[1:] for end in ends]
    rows = from_column(pa.array(keys, pa.binary(16)))
    order, first = hash_order(rows)
    assert order.tolist() == sorted(range(len(keys)), key=lambda i: (keys[i], i))
    assert [keys[i] for i in order[first]] == sorted(set(keys))


@given(TEXTS, st.integers(1, 9))
def test_ranges_follow_the_order_of_the_digests(texts: list[str], count: int) -> None:
    rows = digests(pa.array(texts, pa.string()))
    order, _ = hash_order(rows)
    places = ranges(rows, np.full(len(rows), count, np.int64))[order]
    assert (np.diff(places) >= 0).all()
    assert ((places >= 0) & (places < count)).all()


def test_ranges_and_fractions_are_even() -> None:
    rows = digests(pa.array([str(i) for i in range(40_000)]))
    counts = np.bincount(ranges(rows, np.full(len(rows), 4, np.int64)))
    assert (abs(counts - 10_000) < 400).all()
    assert abs(fractions(rows).mean() - 0.5) < 0.01
