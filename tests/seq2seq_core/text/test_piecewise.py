"""Pieces give what the whole gives, wherever the pieces end."""

from __future__ import annotations

from unittest import mock

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text import piecewise

PIECES = st.sampled_from([1, 3, 8, 1 << 17])
VALUES = st.lists(st.integers(0, 2), max_size=40).map(lambda values: np.array(values, np.uint8))


@given(VALUES, PIECES)
def test_marks_and_places_are_those_of_the_whole(values: npt.NDArray[np.uint8], piece: int) -> None:
    with mock.patch.object(piecewise, "_PIECE", piece):
        marked, found = (ask(values, lambda some: some == 1) for ask in (piecewise.mark, piecewise.find))
    assert marked.tolist() == (values == 1).tolist()
    assert found.tolist() == np.flatnonzero(values == 1).tolist()


@given(VALUES, PIECES, st.integers(1, 6))
def test_stretches_are_found_across_pieces(values: npt.NDArray[np.uint8], piece: int, length: int) -> None:
    with mock.patch.object(piecewise, "_PIECE", piece):
        found = piecewise.find(values, lambda some: piecewise.stretches(some > 0, length), beyond=length - 1)
    assert found.tolist() == [begin for begin in range(len(values) - length + 1) if all(values[begin : begin + length])]
