"""The modality that other tests train and decode with keeps what the protocol promises."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from seq2seq_core.modalities.base import Modality, Ragged, Vectors
from seq2seq_core.text.normalize import NormalizeConfig
from tests.toy_modality import Points

POINTS: Modality = Points()
ROWS = [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [], [[7.0, 8.0, 9.0]]]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.list_(pa.float64())), pa.list_(pa.list_(pa.float32(), 3))], ids=["lists", "points"]
)
@pytest.mark.parametrize("begin", [0, 1, 3])
def test_lists_of_numbers_become_padded_rows(kind: pa.DataType, begin: int) -> None:
    rows = ROWS[begin:]
    normalized, text, *_ = POINTS.normalized(pa.array(ROWS, kind).slice(begin), NormalizeConfig())
    staged = POINTS.staged(normalized)
    assert staged.type == POINTS.staged_type()
    assert POINTS.keys(normalized).to_pylist() == [np.array(row, np.float32).tobytes() for row in rows]
    assert text.column.to_pylist() == [""] * len(rows)

    content = pa.chunked_array([POINTS.content(staged, None)])
    assert content.type == POINTS.content_type(None)
    lengths, flat = POINTS.lengths(content), POINTS.flat(content)
    assert lengths.tolist() == [len(row) for row in rows]
    assert (flat.dtype, flat.shape[1]) == POINTS.element(None)
    values, real = POINTS.padded(Ragged(flat, lengths))
    assert real.tolist() == [max(1, len(row)) for row in rows]
    for row, found in zip(rows, values.tolist(), strict=True):
        assert found == row + [[0.0] * 3] * (values.shape[1] - len(row))
    assert POINTS.encoder_input(None) == Vectors(3)


def test_no_numbers_are_found() -> None:
    content = pa.chunked_array([pa.array([[[1.0, 2.0, 3.0]], []], POINTS.content_type(None))])
    assert POINTS.doubt(content, None) is None
    bad = pa.chunked_array([pa.array([[[1.0, float("nan"), 3.0]]], POINTS.content_type(None))])
    assert POINTS.doubt(bad, None) == ("number", "nan", "finite numbers")
