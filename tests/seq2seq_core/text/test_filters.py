"""Every rule: which rows it rejects, with which reason, value and threshold."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.text.filters import FiltersConfig, count_words, only_empty, sift
from seq2seq_core.text.records import Records


def records(rows: list[tuple[str, str]]) -> Records:
    source, target = zip(*rows, strict=True) if rows else ((), ())
    return Records(
        pa.array(range(1, len(rows) + 1), pa.int64()), pa.array(source, pa.string()), pa.array(target, pa.string())
    )


def judge(rows: list[tuple[str, str]], **filters: Any) -> tuple[list[int], list[tuple[int, str, str, str]]]:
    """Lines kept, and (line, rule, value, threshold) of every reject."""
    rejected: list[tuple[int, str, str, str]] = []
    kept = records(rows)
    for step in sift(kept, configuration.build(FiltersConfig, filters)):
        rejected += [(r["line"], r["rule"], r["value"], r["threshold"]) for r in step.rejected.to_pylist()]
        kept = step.kept
    return kept.lines.to_pylist(), rejected


def test_good_rows_stay() -> None:
    assert judge([("A man sleeps.", "Ein Mann schläft."), ("One", "Eins")]) == ([1, 2], [])


@pytest.mark.parametrize(
    ("row", "filters", "reason"),
    [
        (("", "x"), {}, ("empty", "source empty, target text", "text on both sides")),
        (("x", " \u2003"), {}, ("empty", "source text, target empty", "text on both sides")),
        (("a b c", "x y"), {"words": {"maximum": 2}}, ("words", "source 3, target 2", "1 to 2")),
        (("a", "x y"), {"words": {"minimum": 2}}, ("words", "source 1, target 2", "2 to 150")),
        (("übermütig", "so"), {"characters": {"maximum": 8}}, ("characters", "source 9, target 2", "1 to 8")),
        (("a", "äöüß"), {"length_ratio": {"maximum": 3.5}}, ("length_ratio", "ratio 4", "at most 3.5 in characters")),
        (
            ("a b c d", "x"),
            {"length_ratio": {"maximum": 3, "unit": "words"}},
            ("length_ratio", "ratio 4", "at most 3 in words"),
        ),
        (("same", "same"), {}, ("identical", "sides identical", "sides differ")),
    ],
)
def test_each_rule_gives_its_reason(row: tuple[str, str], filters: dict[str, Any], reason: tuple[str, ...]) -> None:
    assert judge([("ok ok", "gut gut"), row], **filters) == ([1], [(2, *reason)])


@pytest.mark.parametrize("off", [None, False])
def test_a_rule_can_be_switched_off(off: object) -> None:
    assert judge([("same", "same")], identical=off) == ([1], [])


def test_a_row_counts_under_the_first_rule_it_fails() -> None:
    kept, rejected = judge([("x " * 200, "x " * 200)], words={"maximum": 100})
    assert kept == []
    assert [entry[1] for entry in rejected] == ["words"]


def test_given_sets_lose_only_empty_rows() -> None:
    rows = records([("same", "same"), ("a", "b " * 500), ("", "x")])
    steps = list(sift(rows, only_empty()))
    assert steps[-1].kept.lines.to_pylist() == [1, 2]


def test_bounds_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="minimum 5 is above maximum 2"):
        configuration.build(FiltersConfig, {"words": {"minimum": 5, "maximum": 2}})


def test_an_unknown_rule_names_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="Did you mean length_ratio"):
        configuration.build(FiltersConfig, {"lenght_ratio": {"maximum": 2}})


@given(st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=12))
def test_every_row_goes_somewhere_once(rows: list[tuple[str, str]]) -> None:
    kept, rejected = judge(rows, words={"maximum": 2}, length_ratio={"maximum": 2})
    assert sorted(kept + [entry[0] for entry in rejected]) == list(range(1, len(rows) + 1))


@given(st.lists(st.text(alphabet=" \t\u2028\u3000\x1cab", max_size=10), max_size=6))
def test_words_are_counted_as_python_splits_them(texts: list[str]) -> None:
    assert count_words(pa.array(texts, pa.string())).to_pylist() == [len(text.split()) for text in texts]
