"""Rules about repetition: rows that pass and fail, and agreement with plain Python."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.text.rules.catalogue import FiltersConfig

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]


def test_repeated_characters(reasons: Ask) -> None:
    rows = [
        ("Schifffahrt, ja!!!", "10000000"),
        ("stop!!!! now", "ok"),
        ("ok", "\u3042\u3042\u3042\u3042\u3042 \u6f22\u5b57"),
        ("aa", "aaab"),
    ]
    threshold = "at most 0.2 in runs of 4 or more"
    assert reasons("repeated_characters", rows) == [
        None,
        ("source 0.364, target 0", threshold),
        ("source 0, target 0.714", threshold),
        None,
    ]


@quick
@given(data=st.data())
def test_repeated_characters_agree_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask
) -> None:
    shortest = data.draw(st.integers(2, 5))
    rows = data.draw(st.lists(st.tuples(trying_texts, trying_texts), max_size=8))

    def share(text: str) -> float:
        runs = [(c, len(list(run))) for c, run in itertools.groupby(text)]
        counted = sum(n for c, n in runs if n >= shortest and not c.isspace() and not c.isdecimal())
        visible = sum(not c.isspace() for c in text)
        return round(counted / visible, 3) if visible else 0.0

    found = measure("repeated_characters", rows, run=shortest)
    for side, name in enumerate(("source", "target")):
        assert found.values[name].to_pylist() == pytest.approx([share(row[side]) for row in rows])


def test_repetition(reasons: Ask) -> None:
    rows = [
        ("ha ha ha", "no repeat"),
        ("ha ha ha ha", "ok"),
        ("ok", "ich wei\u00df nicht, ich wei\u00df nicht, ich wei\u00df nicht, ich wei\u00df nicht, "),
        ("ab" * 3, "abab"),
        ("x" * 100 + "y", ("z" * 30 + "y") * 3),
    ]
    threshold = "at most 2 repeats of 3 to 100 characters"
    assert reasons("repetition", rows) == [
        None,
        ("source 3, target 0", threshold),
        ("source 0, target 3", threshold),
        None,
        ("source 32, target 9", threshold),
    ]


@quick
@given(data=st.data())
def test_repetition_agrees_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask, reasons: Ask
) -> None:
    part = st.one_of(trying_texts, st.text(st.sampled_from("ab\u00e9"), max_size=4))
    looped = st.builds(lambda a, b, n, c: a + b * n + c, part, part, st.integers(1, 5), part)
    rows = data.draw(st.lists(st.tuples(looped, looped), min_size=1, max_size=6))
    rows = [(f"{source}x", f"x{target}") for source, target in rows]
    keys = {"maximum": data.draw(st.integers(1, 3)), "minimum_length": 2, "maximum_length": 7}

    def repeats(text: str) -> int:
        text += " "
        best = 0
        for period, begin in itertools.product(range(2, 8), range(len(text))):
            string, count = text[begin : begin + period], 0
            while len(string) == period and text.startswith(string, begin + (count + 1) * period):
                count += 1
            best = max(best, count)
        return best

    expected = [[repeats(text) for text in row] for row in rows]
    found = measure("repetition", rows, **keys)
    assert [found.values[name].to_pylist() for name in ("source", "target")] == [
        list(side) for side in zip(*expected, strict=True)
    ]
    described = [f"source {pair[0]}, target {pair[1]}" if max(pair) > keys["maximum"] else None for pair in expected]
    assert [reason and reason[0] for reason in reasons("repetition", rows, **keys)] == described


def test_lengths_out_of_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="minimum_length 9 is above maximum_length 5"):
        configuration.build(FiltersConfig, {"repetition": {"minimum_length": 9, "maximum_length": 5}})


def test_repeated_words(reasons: Ask) -> None:
    rows = [("a b a b a", "a"), ("a b c d e f g h i j", "a a a a b"), ("a a a a a", "a b c d e")]
    assert reasons("repeated_words", rows, minimum_words=5, maximum=0.6) == [
        None,
        None,
        ("source 0.8, target 0", "at most 0.6 from 5 words on"),
    ]


def test_repeated_ngrams(reasons: Ask) -> None:
    words = " ".join(f"w{i}" for i in range(10, 26))
    rows = [(f"{words} a b c d", "kurz"), (f"{words} to be or not to be", "to be to be"), ("x y " * 10, words)]
    found = reasons("repeated_ngrams", rows, minimum_words=20, top_2=0.12, top_3=0.15, top_4=0.15)
    threshold = "at most 0.12, 0.15, 0.15 of the characters in a 2-, 3-, 4-gram, from 20 words on"
    assert found[0] is None
    zeros = "target 2-grams 0, target 3-grams 0, target 4-grams 0"
    assert found[1] == (f"source 2-grams 0.122, source 3-grams 0, source 4-grams 0, {zeros}", threshold)
    assert found[2] == (f"source 2-grams 0.75, source 3-grams 1, source 4-grams 1, {zeros}", threshold)


@quick
@given(data=st.data())
def test_repeated_words_and_ngrams_agree_with_plain_python(data: st.DataObject, measure: Ask) -> None:
    texts = st.lists(st.sampled_from(["a", "b", "lang", "\u6f22\u5b57", "\u00e9\u00e9"]), min_size=1, max_size=14)
    sides = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
    rows = [(" ".join(source), "  ".join(target)) for source, target in sides]
    minimum = data.draw(st.integers(4, 6))
    words = measure("repeated_words", rows, minimum_words=minimum)
    grams = measure("repeated_ngrams", rows, minimum_words=minimum)

    def repeated(text: list[str]) -> float:
        return round(1 - len(set(text)) / len(text), 3) if len(text) >= minimum else 0.0

    def top(text: list[str], characters: int, n: int) -> float:
        counts = Counter(" ".join(text[i : i + n]) for i in range(len(text) - n + 1))
        most = max((count * len(gram) for gram, count in counts.items() if count > 1), default=0)
        return round(min(1.0, most / characters), 3) if len(text) >= minimum else 0.0

    for side, name in enumerate(("source", "target")):
        assert words.values[name].to_pylist() == pytest.approx([repeated(pair[side]) for pair in sides])
        for n in (2, 3, 4):
            expected = [top(pair[side], len(row[side]), n) for pair, row in zip(sides, rows, strict=True)]
            assert grams.values[f"{name} {n}-grams"].to_pylist() == pytest.approx(expected)
