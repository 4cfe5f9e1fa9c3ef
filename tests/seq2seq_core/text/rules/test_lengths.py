"""Rules about length: rows that pass and fail, and agreement with plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.text import unicode
from seq2seq_core.text.rules.base import Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig
from seq2seq_core.text.rules.lengths import TokensRule

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]


def test_words(reasons: Ask) -> None:
    rows = [("a b", "x"), ("a b c", "x y"), ("a b", "x  y\u2003z ")]
    assert reasons("words", rows, maximum=2) == [
        None,
        ("source 3, target 2", "1 to 2"),
        ("source 2, target 3", "1 to 2"),
    ]
    assert reasons("words", [("a", "x y")], minimum=2) == [("source 1, target 2", "2 to 150")]
    assert reasons("words", [("a " * 150, "x"), ("a " * 151, "x")])[1] == ("source 151, target 1", "1 to 150")


def test_characters(reasons: Ask) -> None:
    rows = [("\u00fcberm\u00fct", "so"), ("\u00fcberm\u00fctig", "so")]
    assert reasons("characters", rows, maximum=8) == [None, ("source 9, target 2", "1 to 8")]
    assert reasons("characters", [("a" * 1024, "b"), ("a" * 1025, "b")])[1] == ("source 1025, target 1", "1 to 1024")


def test_tokens_are_judged_by_the_lengths_given() -> None:
    rule = TokensRule(minimum=2, maximum=5)
    lengths = pa.array([1, 2, 5, 6], pa.int32()), pa.array([2, 5, 5, 2], pa.uint32())
    measure = rule.measure_lengths(*lengths)
    assert measure.failed.to_pylist() == [True, False, False, True]
    assert measure.describe_failed().to_pylist() == ["source 1, target 2", "source 6, target 2"]
    assert rule.threshold == "2 to 5"
    assert TokensRule().threshold == "1 to 250"
    alone = rule.measure_lengths(None, lengths[0])
    assert alone.describe_failed().to_pylist() == ["target 1", "target 6"]


def test_tokens_are_not_asked_of_text() -> None:
    filters = configuration.build(FiltersConfig, {"tokens": {"maximum": 1}})
    assert "tokens" not in dict(filters.rules())
    assert FiltersConfig().tokens is None


def test_bounds_out_of_order_are_refused() -> None:
    for rule in ("words", "characters", "tokens"):
        with pytest.raises(ConfigError, match="minimum 5 is above maximum 2"):
            configuration.build(FiltersConfig, {rule: {"minimum": 5, "maximum": 2}})


def test_length_ratio(reasons: Ask) -> None:
    rows = [("ab", "abcdefg"), ("ab", "abcdefgh"), ("abcdefgh", "ab")]
    reason = ("ratio 4", "at most 3.5 in characters")
    assert reasons("length_ratio", rows, maximum=3.5) == [None, reason, reason]
    words = reasons("length_ratio", [("a b c", "x"), ("a b c d", "x")], maximum=3, unit="words")
    assert words == [None, ("ratio 4", "at most 3 in words")]


def test_length_ratio_around_a_center(reasons: Ask) -> None:
    rows = [("a" * 10, "b" * 3), ("a" * 10, "b" * 10), ("a" * 40, "b" * 3)]
    found = reasons("length_ratio", rows, maximum=3, center=0.3)
    reasons_found = [("ratio 3.333", "at most 3 around 0.3 in characters"), ("ratio 4", found[2][1])]
    assert found == [None, *reasons_found]


def test_length_ratio_by_deviations(reasons: Ask) -> None:
    rows = [("a" * 100, "b" * 30), ("a" * 100, "b" * 60), ("a" * 100, "b" * 15), ("a" * 10, "b" * 11)]
    threshold = "at most 3 deviations of 0.2 from 0.3 in characters"
    assert reasons("length_ratio", rows, center=0.3, spread=0.2, deviations=3) == [
        None,
        ("target/source 0.6, deviations 3.466", threshold),
        ("target/source 0.15, deviations 3.466", threshold),
        ("target/source 1.1, deviations 6.496", threshold),
    ]


def test_longest_word(reasons: Ask) -> None:
    rows = [("ok", "a" * 40), ("ok", "x " + "\u00e9" * 41), ("a" * 39 + "\u6f22" + "b" * 39, "\u6f22\u5b57" * 50)]
    assert reasons("longest_word", rows) == [None, ("source 2, target 41", "at most 40 characters"), None]


@quick
@given(data=st.data())
def test_longest_word_agrees_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask, reasons: Ask
) -> None:
    unspaced = unicode.members(unicode.UNSPACED)

    def longest(text: str) -> int:
        parts = "".join(" " if ord(c) > 127 and unspaced[ord(c)] else c for c in text).split()
        return max(map(len, parts), default=0)

    rows = data.draw(st.lists(st.tuples(trying_texts, trying_texts), max_size=8))
    rows = [(f"{source}x", f"x{target}") for source, target in rows]
    maximum = data.draw(st.integers(1, 20))
    expected = [[longest(text) for text in row] for row in rows]
    found = measure("longest_word", rows, maximum=maximum)
    assert found.values["source"].to_pylist() == [source for source, _ in expected]
    assert found.values["target"].to_pylist() == [target for _, target in expected]
    assert found.failed.to_pylist() == [max(pair) > maximum for pair in expected]
    rejected = reasons("longest_word", rows, maximum=maximum)  # finds the same ones without measuring all
    assert [reason is not None for reason in rejected] == found.failed.to_pylist()


@quick
@given(data=st.data())
def test_lengths_do_not_count_a_source_that_is_not_there(data: st.DataObject, measure: Ask) -> None:
    targets = data.draw(st.lists(st.text("ab ", min_size=1, max_size=9), min_size=1, max_size=5))
    found = measure("words", [("", target) for target in targets], Sides(has_source=False), minimum=0, maximum=2)
    assert list(found.values) == ["target"]
    assert found.failed.to_pylist() == [len(target.split()) > 2 for target in targets]
