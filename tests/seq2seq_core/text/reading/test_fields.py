"""Nested fields: the same steps in plain values and in columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.reading.fields import descend, overlap, reach, steps_of

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.one_of(
                st.none(), st.lists(st.fixed_dictionaries({"x": st.one_of(st.none(), st.text("ab"))}), max_size=3)
            )
        }
    ),
    min_size=1,
    max_size=6,
)
LISTS = st.lists(st.one_of(st.none(), st.lists(st.text("ab ", max_size=2), max_size=3)), min_size=1, max_size=6)


@given(rows=ROWS, position=st.integers(0, 3), start=st.integers(0, 2))
def test_an_element_of_a_list_of_objects(rows: list[dict[str, Any]], position: int, start: int) -> None:
    steps = steps_of(f"t.{position}.x")
    kind = pa.struct([("t", pa.list_(pa.struct([("x", pa.string())])))])
    column = pa.array(rows, kind).slice(start)
    assert reach(column, steps).to_pylist() == [descend(row, steps) for row in rows[start:]]


@given(rows=LISTS, start=st.integers(0, 2))
def test_a_star_joins_a_list(rows: list[list[str] | None], start: int) -> None:
    column = pa.array(rows, pa.list_(pa.string())).slice(start)
    assert reach(column, ("*",)).to_pylist() == [descend(row, ("*",)) for row in rows[start:]]


@pytest.mark.parametrize(
    ("value", "field", "found"),
    [
        ({"a": {"b": "x"}}, "a.b", "x"),
        ({"a": {"0": "x"}}, "a.0", "x"),
        ({"a": "x"}, "a.b", None),
        ({"a": ["x"]}, "a.1", None),
        ({"a": ["x"]}, "a.-1", None),
        ({"a": ["x", 3]}, "a.*", 3),
        ({"a": "x"}, "a.*", None),
    ],
)
def test_steps_in_plain_values(value: Any, field: str, found: object) -> None:
    assert descend(value, steps_of(field)) == found


def test_overlap() -> None:
    assert overlap("a.b", "a")
    assert overlap("a", "a")
    assert not overlap("a.b", "a.c")
    assert not overlap("ab", "a")
