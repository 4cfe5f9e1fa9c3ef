"""Where files are cut: no part is fuller than it may be, unless by one row, and none could take the next row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.corpora.formats.audio.named import Named
from seq2seq_core.corpora.formats.audio.weighing import Scale, weights_of
from seq2seq_core.corpora.terms.index import PartSize


@given(
    seconds=st.lists(st.sampled_from([0.5, 1.0, 3.0, 9.0, 30.0]), min_size=1, max_size=40),
    rows=st.integers(1, 7),
    most=st.sampled_from([1.0, 10.0, 31.0]),
    step=st.integers(1, 9),
)
def test_parts_are_full_and_not_fuller(seconds: list[float], rows: int, most: float, step: int) -> None:
    scale = Scale(PartSize(rows, most))
    begins = [0]
    for place in range(0, len(seconds), step):
        begins += (place + scale.add(np.array(seconds[place : place + step]))).tolist()
    shares = [max(second / most, 1 / rows) for second in seconds]
    for begin, end in zip(begins, [*begins[1:], len(seconds)], strict=True):
        assert begin < end
        assert sum(shares[begin:end]) <= 1 + 1e-6 or end == begin + 1
        assert end == len(seconds) or sum(shares[begin : end + 1]) > 1
    assert scale.seconds == sum(seconds)


def test_bytes_count_where_they_are_known() -> None:
    scale = Scale(PartSize(100, 1000.0, 1000))
    assert scale.add(np.ones(6), np.array([400, 400, 400, 0, 600, 1])).tolist() == [2, 4]  # a row counts as one, too


def named(seconds: list[float | None]) -> Named:
    nothing = pa.nulls(len(seconds), pa.float64())
    paths = pa.array([f"{place}.flac" for place in range(len(seconds))])
    return Named(paths, pa.nulls(len(seconds), pa.string()), nothing, pa.array(seconds, pa.float64()))


def test_what_a_row_weighs() -> None:
    rows = named([2.0, None, -1.0, float("nan"), 1e30, None])
    seconds, stored = weights_of(rows, {"5.flac": 34_800}, 7.0)
    assert seconds.tolist() == [2.0, 7.0, 7.0, 7.0, 7.0, 2.0]
    assert stored.tolist() == [0, 0, 0, 0, 0, 34_800]
