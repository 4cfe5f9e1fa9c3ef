"""Rules about characters: rows that pass and fail, and agreement with plain Python."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError
from seq2seq_core.text.rules.base import Sides
from seq2seq_core.text.rules.catalogue import FiltersConfig

quick = settings(deadline=None, max_examples=60)

Ask = Callable[..., Any]

_SCRIPTS = {
    "Latin": "a\u00e9\u00df",
    "Cyrillic": "\u0416\u0436",
    "Han": "\u6f22\u5b57\U00020000",
    "Hiragana": "\u3042",
    "Katakana": "\u30ab",
    "Devanagari": "\u0937\u093f",
}
_SCRIPT_OF = {letter: script for script, letters in _SCRIPTS.items() for letter in letters}


def test_alphabetic(reasons: Ask) -> None:
    rows = [("ab 12", "ab"), ("ab 12345", "ab"), ("\u0937\u093f", "\u6f22!"), ("ok", "...")]
    assert reasons("alphabetic", rows) == [
        None,
        ("source 0.286, target 1", "at least 0.3"),
        None,
        ("source 1, target 0", "at least 0.3"),
    ]


def test_script_of_the_languages(reasons: Ask) -> None:
    sides = Sides("en", "ja")
    rows = [
        ("good day", "\u3053\u3093\u306b\u3061\u306f\u30fc NHK"),
        ("good day", "good day"),
        ("\u0434\u0435\u043d\u044c", "\u6f22\u5b57"),
        ("12", "34"),
    ]
    threshold = "at least 0.5 in the script of the side"
    assert reasons("script", rows, sides) == [
        None,
        ("source 1, target 0", threshold),
        ("source 0, target 1", threshold),
        None,
    ]
    assert reasons("script", rows) == [None] * 4  # nothing is known, nothing is expected


def test_given_scripts_win_over_those_of_the_language(reasons: Ask) -> None:
    rows = [("abc", "\u0434\u0435\u043d\u044c")]
    assert reasons("script", rows, Sides("en", "de"), target=["Cyrillic"]) == [None]
    assert reasons("script", rows, source=["Greek"], minimum=0.25) == [
        ("source 0, target 1", "at least 0.25 in the script of the side")
    ]


def test_an_unknown_script_is_refused() -> None:
    with pytest.raises(ConfigError, match="'Kyrillisch' is not one of Unicode's scripts"):
        configuration.build(FiltersConfig, {"script": {"source": ["Kyrillisch"]}})


def test_markup(reasons: Ask) -> None:
    rows = [("ab = b {c}", "fine text"), ("|| a | b ||", "fine"), ("ok", "\u2192\u2192 ok")]
    assert reasons("markup", rows, maximum=0.49) == [
        None,
        ("source 0.714, target 0", "at most 0.49"),
        ("source 0, target 0.5", "at most 0.49"),
    ]


@quick
@given(data=st.data())
def test_shares_agree_with_plain_python(
    data: st.DataObject, trying_texts: st.SearchStrategy[str], measure: Ask
) -> None:
    rows = data.draw(st.lists(st.tuples(trying_texts, trying_texts), max_size=8))
    rows = [(f"{source}x", f"x{target}") for source, target in rows]

    def share(text: str, wanted: Callable[[str], bool]) -> float:
        visible = [c for c in text if not c.isspace()]
        return round(sum(map(wanted, visible)) / len(visible), 3)

    def is_letter(c: str) -> bool:
        return unicodedata.category(c)[0] in "LM"

    def is_markup(c: str) -> bool:
        return c in "#*+<=>@[\\]^_`{|}~" or (ord(c) > 127 and unicodedata.category(c)[0] == "S")

    for rule, wanted in (("alphabetic", is_letter), ("markup", is_markup)):
        found = measure(rule, rows)
        for side, name in enumerate(("source", "target")):
            assert found.values[name].to_pylist() == pytest.approx([share(row[side], wanted) for row in rows])


@quick
@given(data=st.data())
def test_script_shares_agree_with_plain_python(data: st.DataObject, measure: Ask) -> None:
    texts = st.text(st.sampled_from([*_SCRIPT_OF, " ", "1", "\u30fc", "\u0301"]), min_size=1, max_size=20)
    rows = data.draw(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
    given_scripts = data.draw(st.sets(st.sampled_from(sorted(_SCRIPTS)), min_size=1))
    found = measure("script", [(f"x{s}", f"x{t}") for s, t in rows], target=sorted(given_scripts))
    expected = []
    for _, text in rows:
        letters = [_SCRIPT_OF[c] for c in f"a{text}" if c in _SCRIPT_OF]
        expected.append(round(sum(script in given_scripts for script in letters) / len(letters), 3))
    assert found.values["target"].to_pylist() == pytest.approx(expected)
    assert found.values["source"].to_pylist() == [1.0] * len(rows)
