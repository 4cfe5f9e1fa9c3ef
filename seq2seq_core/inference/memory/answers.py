"""Hypotheses of an engine in, rows that a memory keeps out; and back, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.decoding.hypothesis import Hypothesis

_PLAIN = {"score": pa.float64(), "log_probability": pa.float64(), "finished": pa.bool_()}
_ARRAYS = {
    "tokens": pa.int32(),
    "attention": pa.float32(),
    "spans": pa.int32(),
    "token_scores": pa.float64(),
    "alignment": pa.int32(),
}
"""The numbers of arrays, one behind the other."""
_TABLES = frozenset({"attention", "spans"})
_TYPES = _PLAIN | {name: pa.list_(kind) for name, kind in _ARRAYS.items()}
_HYPOTHESIS = pa.struct(list(_TYPES.items()))

COLUMN = "hypotheses"
TYPE = pa.list_(_HYPOTHESIS)

_Array = npt.NDArray[np.generic]


def to_column(answers: Sequence[Sequence[Hypothesis]]) -> pa.ListArray:
    """The hypotheses of each source as a column of `TYPE`."""
    offsets = pa.array(np.cumsum([0, *map(len, answers)]), pa.int32())
    flat = [hypothesis for answer in answers for hypothesis in answer]
    columns = [pa.array([_flat(getattr(one, name)) for one in flat], kind) for name, kind in _TYPES.items()]
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(_HYPOTHESIS)))


def from_column(column: pa.ListArray) -> list[list[Hypothesis]]:
    """The inverse of `to_column`."""
    flat = column.flatten()
    values: dict[str, list[Any]] = {name: flat.field(name).to_pylist() for name in _PLAIN}
    values |= {name: _arrays(flat.field(name)) for name in _ARRAYS}
    made = iter([_hypothesis(dict(zip(values, row, strict=True))) for row in zip(*values.values(), strict=True)])
    return [[next(made) for _ in range(count)] for count in column.value_lengths().to_pylist()]


def _flat(value: object) -> object:
    return value.reshape(-1) if isinstance(value, np.ndarray) else value


def _hypothesis(values: dict[str, Any]) -> Hypothesis:
    rows = {"spans": len(values["tokens"]), "attention": len(values["tokens"]) + values["finished"]}
    tables = {name: values[name].reshape(max(1, rows[name]), -1) for name in _TABLES if values[name] is not None}
    return Hypothesis(**(values | tables))


def _arrays(column: pa.ListArray) -> list[_Array | None]:
    """The values of each row; None for a null."""
    values = column.flatten().to_numpy(zero_copy_only=False)
    lengths = column.value_lengths().fill_null(0).to_numpy()
    ends = np.cumsum(lengths)
    parts = zip((ends - lengths).tolist(), ends.tolist(), column.is_valid().to_pylist(), strict=True)
    return [values[begin:end] if is_there else None for begin, end, is_there in parts]
