# ruff: noqa: RUF001 - the letters are those of the languages

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.gaps import _UNSPACED_RUN, fit_gap, is_inside_word
from seq2seq_core.text.unicode import UNSPACED

SPACED = st.sampled_from(
    ["Es regnet.", "Да!", "مرحبا", "한국어 문장.", "«Oui»", "10. Mai", "Ein 中 unter vielen Buchstaben."]
)
WITHOUT = st.sampled_from(
    ["今天。", "行く！", "カタカナ", "สวัสดี", "ລາວ", "ខ្មែរ", "မြန်မာ။", "བོད་ཡིག", "他用iPhone。", "第10。", "𠀀"]
)
NEITHER = st.sampled_from(["10.", "!", "…", "3-4", "😀", "。"])
SPACES = st.text(st.sampled_from("\u0020\u00a0\u2009\u3000"), max_size=3)
LAYOUT = st.sampled_from(["\n", " \r\n\n  ", "\t", " \t", "\u2028", "\x0c"])
TOLD = st.sampled_from([None, True, False])


def test_the_letters_without_spaces_are_those_of_unicode() -> None:
    points = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    letters = [point for point in points if unicodedata.category(point)[0] in "LM"]
    in_scripts = pc.match_substring_regex(pa.array(letters), f"[{UNSPACED}]").to_pylist()
    common = pc.match_substring_regex(pa.array(letters), r"[\p{Common}\p{Inherited}]").to_pylist()
    for letter, expected, is_common in zip(letters, in_scripts, common, strict=True):
        if not is_common:
            assert bool(_UNSPACED_RUN.match(letter)) is expected, hex(ord(letter))


@given(LAYOUT, st.one_of(SPACED, WITHOUT, NEITHER), st.one_of(SPACED, WITHOUT, NEITHER), TOLD)
def test_line_ends_and_tabs_stay(gap: str, left: str, right: str, spaced: bool | None) -> None:
    assert fit_gap(gap, left, right, spaced) == gap


@given(SPACES, SPACED, SPACED, TOLD)
def test_between_scripts_with_spaces_stands_a_space_or_the_own_gap(
    gap: str, left: str, right: str, spaced: bool | None
) -> None:
    assert fit_gap(gap, left, right, spaced) == (gap if gap.strip("\u3000") else " ")


@given(SPACES, WITHOUT, WITHOUT, TOLD)
def test_between_scripts_without_spaces_stands_nothing(gap: str, left: str, right: str, spaced: bool | None) -> None:
    assert fit_gap(gap, left, right, spaced) == ""


@given(SPACES, st.sampled_from([(SPACED, WITHOUT), (WITHOUT, SPACED), (NEITHER, NEITHER)]), st.data(), st.booleans())
def test_the_target_language_decides_where_letters_do_not(
    gap: str, sides: tuple[st.SearchStrategy[str], st.SearchStrategy[str]], data: st.DataObject, spaced: bool
) -> None:
    left, right = map(data.draw, sides)
    found = fit_gap(gap, left, right, spaced)
    assert found == ((gap if gap.strip("\u3000") else " ") if spaced else "")
    assert fit_gap(gap, left, right, None) == gap


def test_one_side_without_letters_follows_the_other_where_no_language_is_told() -> None:
    assert fit_gap("", "Am 10.", "3.", None) == " "
    assert fit_gap(" ", "第一。", "3.", None) == ""
    assert fit_gap("", "Am 10.", "3.", False) == ""


def test_an_output_that_brings_its_space_gets_no_second() -> None:
    assert fit_gap("", "One. ", "Two.", True) == ""


@pytest.mark.parametrize(
    ("pair", "inside"),
    [("ab", True), ("/?", True), ("한국", True), ("中国", False), ("，a", False), ("a中", False), ("ไท", False)],
)
def test_a_cut_between_characters_parts_a_word_or_not(pair: str, inside: bool) -> None:
    assert is_inside_word(*pair) is inside
