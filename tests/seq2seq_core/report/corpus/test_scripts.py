from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.report.corpus.scripts import OTHER, count_scripts


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("abc, déf 12!", {"Latin": 6}),
        ("Дом 東京", {"Cyrillic": 3, "Han": 2}),
        ("ひらカナ漢字ー", {"Hiragana": 2, "Katakana": 2, "Han": 2, "Common": 1}),
        ("नमस्ते", {"Devanagari": 4}),  # two vowel signs and a virama are marks, no letters
        ("ꦗꦮ", {OTHER: 2}),
        ("123 …", {}),
    ],
)
def test_letters_are_counted_by_script(text: str, counts: dict[str, int]) -> None:
    scripts = count_scripts([text])
    assert dict(zip(scripts.names, scripts.counts.tolist(), strict=True)) == counts


@given(st.lists(st.text(max_size=20), max_size=10))
def test_rows_add_up_to_the_letters_that_unicode_knows(texts: list[str]) -> None:
    scripts = count_scripts(texts)
    assert scripts.by_row.shape == (len(texts), len(scripts.names))
    assert np.array_equal(scripts.by_row.sum(axis=0), scripts.counts)
    assert list(scripts.counts) == sorted(scripts.counts, reverse=True)
    for text, letters in zip(texts, scripts.by_row.sum(axis=1), strict=True):
        # Both know the letters of a version of Unicode: unassigned characters may differ.
        known = sum(unicodedata.category(character).startswith("L") for character in text)
        unassigned = sum(unicodedata.category(character) == "Cn" for character in text)
        assert known <= letters <= known + unassigned
