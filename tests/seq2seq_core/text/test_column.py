"""What is found of all rows together is what plain Python finds in each."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core.text.column import TextColumn

quick = settings(deadline=None, max_examples=60)


def is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@quick
@given(data=st.data())
def test_counts_agree_with_plain_python(
    kind: pa.DataType, data: st.DataObject, trying_texts: st.SearchStrategy[str]
) -> None:
    rows = data.draw(st.lists(trying_texts, max_size=12))
    skipped = data.draw(st.integers(0, len(rows)))
    texts = TextColumn(pa.array(rows, kind)[skipped:])
    rows = rows[skipped:]
    assert texts.bytes.tolist() == [len(row.encode()) for row in rows]
    assert texts.characters.tolist() == [len(row) for row in rows]
    assert texts.words.tolist() == [len(row.split()) for row in rows]
    assert texts.visible.tolist() == [sum(not c.isspace() for c in row) for row in rows]
    assert texts.letters.tolist() == [sum(map(is_letter, row)) for row in rows]
    assert texts.count_at(texts.find_signs("~-.!")).tolist() == [sum(c in "~-.!" for c in row) for row in rows]
    assert texts.has_any(texts.find_signs("@")).tolist() == ["@" in row for row in rows]
    points, offsets = texts.points
    assert [list(points[a:b]) for a, b in itertools.pairwise(offsets)] == [[ord(c) for c in row] for row in rows]


@quick
@given(st.lists(st.integers(0, 200), max_size=20), st.integers(0, 2**32 - 1))
def test_bytes_are_counted_by_row_wherever_rows_begin(lengths: list[int], seed: int) -> None:
    texts = TextColumn(pa.array(["x" * length for length in lengths], pa.string()))
    mask = np.random.default_rng(seed).random(sum(lengths)) < 0.5
    edges = np.cumsum([0, *lengths])
    expected = [int(mask[a:b].sum()) for a, b in itertools.pairwise(edges)]
    assert texts.count(mask).tolist() == expected
    assert texts.count_at(np.flatnonzero(mask)).tolist() == expected


@quick
@given(data=st.data())
def test_other_texts_in_some_rows_are_found_without_looking_at_all_again(
    data: st.DataObject, trying_texts: st.SearchStrategy[str]
) -> None:
    before = TextColumn(pa.array(data.draw(st.lists(trying_texts, max_size=12)), pa.string()))
    rows = np.array(data.draw(st.lists(st.booleans(), min_size=len(before), max_size=len(before))), np.bool_)
    others = data.draw(st.lists(trying_texts, min_size=int(rows.sum()), max_size=int(rows.sum())))
    found = before.replaced(rows, TextColumn(pa.array(others, pa.string())))
    fresh = TextColumn(found.column)
    assert fresh.column.filter(pa.array(rows)).to_pylist() == others
    assert fresh.column.filter(pa.array(~rows)) == before.column.filter(pa.array(~rows))
    for name in ("wide_at", "wide_points", "wide_offsets"):
        assert name in vars(found)
        np.testing.assert_array_equal(getattr(found, name), getattr(fresh, name))
