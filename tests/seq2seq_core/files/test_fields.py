"""Nested fields: the same steps in plain values and in columns."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.files.fields import (
    MISSING,
    ambiguous_key,
    dotted_keys,
    longest_steps,
    lookup,
    overlap,
    parts_of,
    reach,
    resolve,
)

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


def plain(value: object, parts: tuple[str, ...]) -> object:
    found = lookup(value, parts)
    return None if found is MISSING else found


@given(rows=ROWS, position=st.integers(0, 3), start=st.integers(0, 2))
def test_an_element_of_a_list_of_objects(rows: list[dict[str, Any]], position: int, start: int) -> None:
    steps = parts_of(f"t.{position}.x")
    kind = pa.struct([("t", pa.list_(pa.struct([("x", pa.string())])))])
    column = pa.array(rows, kind).slice(start)
    assert reach(column, steps).to_pylist() == [plain(row, steps) for row in rows[start:]]


@pytest.mark.parametrize("step", ["9" * 5000, "4294967296", "18446744073709551616", "1000000000"])
@pytest.mark.parametrize("make", [pa.list_, pa.large_list])
def test_an_element_beyond_any_list_is_nothing(step: str, make: Any) -> None:
    assert lookup(["x"], (step,)) is MISSING
    column = pa.array([["x"], [], None, ["x", "y"]], make(pa.string()))
    assert reach(column, (step,)).to_pylist() == [None] * 4
    assert reach(column.slice(1), (step,)).to_pylist() == [None] * 3


@pytest.mark.parametrize("step", ["1", "01", "0" * 5000 + "1"])
def test_an_element_may_be_written_with_zeros(step: str) -> None:
    assert lookup(["x", "y"], (step,)) == "y"
    assert reach(pa.array([["x", "y"], ["z"]]), (step,)).to_pylist() == ["y", None]
    assert overlap(f"a.{step}", "a.1")
    assert overlap(f"a.{step}.b", "a.001")
    assert not overlap(f"a.{step}", "a.10")


@given(rows=LISTS, start=st.integers(0, 2))
def test_a_star_joins_a_list(rows: list[list[str] | None], start: int) -> None:
    column = pa.array(rows, pa.list_(pa.string())).slice(start)
    assert reach(column, ("*",)).to_pylist() == [plain(row, ("*",)) for row in rows[start:]]


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
        ({"a.b": "x"}, "a.b", "x"),
        ({"a.b": "x", "a": {"b": "y"}}, "a.b", "x"),
        ({"a.b": None, "a": {"b": "y"}}, "a.b", None),
        ({"a": {"b.c": "x", "b": {"c": "y"}}}, "a.b.c", "x"),
        ({"a.b": {"d": "x"}, "a": {"b": {"c": "y"}}}, "a.b.c", "y"),
        ({"a.b.c": "x", "a.b": {"c": "y"}}, "a.b.c", "x"),
        ({"a.*": "x", "a": ["y"]}, "a.*", "x"),
        ({"s.0": "x", "s": ["y"]}, "s.0", "x"),
    ],
)
def test_steps_in_plain_values(value: Any, field: str, found: object) -> None:
    assert plain(value, parts_of(field)) == found


def test_overlap() -> None:
    assert overlap("a.b", "a")
    assert overlap("a", "a")
    assert not overlap("a.b", "a.c")
    assert not overlap("ab", "a")


NAMES = st.sampled_from(["a", "b", "c", "a.b", "b.c", "a.b.c"])
OBJECTS = st.recursive(
    st.sampled_from(["x", "y"]), lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=8
)


@given(value=OBJECTS, field=st.sampled_from(["a", "a.b", "a.b.c", "b.c"]))
def test_a_name_means_the_same_in_a_record_and_in_a_type(value: Any, field: str) -> None:
    found, resolved = lookup(value, parts_of(field)), resolve(type_of(value), parts_of(field))
    assert (found is MISSING) == (resolved is None)
    if resolved is not None:
        column = reach(pa.array([value], type_of(value)), resolved[0])
        assert column.type == resolved[1]
        assert column.to_pylist() == [found]


def type_of(value: Any) -> pa.DataType:
    return pa.struct([(k, type_of(v)) for k, v in value.items()]) if isinstance(value, dict) else pa.string()


@pytest.mark.parametrize(
    ("present", "steps"),
    [
        ([], ("a", "b", "c")),
        (["a.b.c", "a.b"], ("a.b.c",)),
        (["a.b", "b.c"], ("a.b", "c")),
        (["b.c"], ("a", "b.c")),
    ],
)
def test_of_the_keys_that_are_known_the_longest_come_first(present: list[str], steps: tuple[str, ...]) -> None:
    assert longest_steps(("a", "b", "c"), present) == steps
    assert set(present) <= set(dotted_keys(("a", "b", "c")))


@given(value=OBJECTS)
def test_keys_that_are_known_lead_to_what_is_looked_up_or_nowhere(value: Any) -> None:
    parts = ("a", "b", "c")
    present = [key for key in dotted_keys(parts) if f'"{key}"' in json.dumps(value)]
    found = value
    for step in longest_steps(parts, present):
        found = found.get(step, MISSING) if isinstance(found, dict) else MISSING
    assert found is MISSING or found == lookup(value, parts)


def test_a_key_that_stands_twice_is_named_wherever_it_stands() -> None:
    twice = pa.struct([("a", pa.string()), ("a", pa.string()), ("b", pa.string())])
    assert ambiguous_key(twice, ("a",)) == "a"
    assert ambiguous_key(twice, ("b",)) is None
    assert ambiguous_key(pa.struct([("t", twice)]), ("t", "a")) == "a"
    assert ambiguous_key(pa.struct([("a.b", pa.string()), ("a.b", pa.string())]), ("a", "b")) == "a.b"
