"""Samples to plain bytes and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.modalities import pcm

_Samples = st.lists(st.integers(-32768, 32767), max_size=20)


@given(st.lists(_Samples, max_size=5), st.integers(0, 2))
def test_samples_survive_and_are_counted(rows: list[list[int]], begin: int) -> None:
    column = pa.array([pcm.encode(np.array(row, np.int16), 16_000) for row in rows], pa.large_binary()).slice(begin)
    assert pcm.sample_counts(column).tolist() == [len(row) for row in rows[begin:]]
    assert [pcm.decode(value.as_buffer()).tolist() for value in column] == rows[begin:]
