"""Representatives against a plain union-find, whatever the order of edges."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.preparation.sieves.near.connected import Keys, components, number, smallest_connected

EDGES = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=25)


def keys_of(numbers: list[int], width: int) -> Keys:
    """Keys of so many bytes in the order of the numbers, which differ in the first and last bytes."""
    data = b"".join(bytes([n // 4]) + bytes(width - 2) + bytes([n % 4 * 60]) for n in numbers)
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def plain_components(edges: list[tuple[int, int]]) -> dict[int, int]:
    smallest = {node: node for edge in edges for node in edge}
    for _ in smallest:
        for left, right in edges:
            smallest[left] = smallest[right] = min(smallest[left], smallest[right])
    return smallest


@given(EDGES, st.sampled_from([8, 16, 24]), st.randoms(use_true_random=False))
def test_the_smallest_key_represents(edges: list[tuple[int, int]], width: int, draw: random.Random) -> None:
    expected = plain_components(edges)
    shuffled = [edge if draw.random() < 0.5 else edge[::-1] for edge in draw.sample(edges, len(edges))]
    keys, smallest = components(*(keys_of([edge[end] for edge in shuffled], width) for end in (0, 1)))
    assert keys.tolist() == keys_of(sorted(expected), width).tolist()
    assert smallest.tolist() == keys_of([expected[node] for node in sorted(expected)], width).tolist()


@given(st.lists(st.integers(0, 15)))
def test_keys_are_numbered_in_order(numbers: list[int]) -> None:
    keys, places = number(keys_of(numbers, 16))
    assert keys[places].tolist() == keys_of(numbers, 16).tolist()
    assert len(keys) == len(set(numbers))


def test_long_paths_and_large_stars_end() -> None:
    nodes = 50_000
    order = np.random.default_rng(0).permutation(nodes)
    path = smallest_connected(order[:-1], order[1:], nodes)
    assert not path.any()
    star = smallest_connected(np.full(nodes - 1, nodes - 1), np.arange(nodes - 1), nodes)
    assert not star.any()
    apart = smallest_connected(np.empty(0, np.int64), np.empty(0, np.int64), 3)
    assert apart.tolist() == [0, 1, 2]
