"""Edges between keys in, each key's representative out: the smallest key that edges lead to, near or far."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint8]  # keys x width, the width a multiple of 8; in the order of their bytes
_Nodes = npt.NDArray[np.int64]

_WORD_BYTES = 8


def components(left: Keys, right: Keys) -> tuple[Keys, Keys]:
    """The connected components of a graph, whatever the order of its edges.

    Args:
        left: One end of each edge.
        right: The other end.

    Returns:
        All keys, each once and in order, and the smallest key of each one's component.
    """
    keys, places = number(np.concatenate([left, right]))
    smallest = smallest_connected(places[: len(left)], places[len(left) :], len(keys))
    return keys, keys[smallest]


def number(rows: Keys) -> tuple[Keys, _Nodes]:
    """The different keys in order, and for each row the position of its key among them."""
    words = np.ascontiguousarray(rows).view(">u8").astype(np.uint64)
    order = np.lexsort(tuple(words[:, column] for column in reversed(range(rows.shape[1] // _WORD_BYTES))))
    ordered = words[order]
    first = np.ones(len(rows), np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    places = np.empty(len(rows), np.int64)
    places[order] = np.cumsum(first) - 1
    return rows[order[first]], places


def smallest_connected(left: _Nodes, right: _Nodes, nodes: int) -> _Nodes:
    """For each of the nodes 0, 1, ... the smallest that edges lead to.

    In each round, every root is hooked on the smallest that an edge leads to, and all paths are cut short to their
    roots (after Shiloach and Vishkin 1982), until no edge is left between two trees.
    """
    parent = np.arange(nodes)
    while True:
        left_root, right_root = parent[left], parent[right]
        apart = left_root != right_root
        if not apart.any():
            return parent
        left, right = left[apart], right[apart]
        low = np.minimum(left_root[apart], right_root[apart])
        np.minimum.at(parent, np.maximum(left_root[apart], right_root[apart]), low)
        while not np.array_equal(above := parent[parent], parent):
            parent = above
