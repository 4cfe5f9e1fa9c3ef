from __future__ import annotations

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.iso639 import ALIASES, CODES, TWO_LETTERS
from seq2seq_core.text.languages import (
    close_codes,
    common_language,
    is_language,
    is_language_suffix,
    short_code,
    uses_spaces,
)
from seq2seq_core.text.rules.scripts import _LANGUAGES_OF_SCRIPTS
from seq2seq_core.text.unicode import UNSPACED


def test_every_language_that_cldr_names_is_known() -> None:
    named = {code.split("_")[0] for code in Locale("en").languages} - {"root"}
    assert {code for code in named if not is_language(code)} == set()
    assert len(TWO_LETTERS) == 184
    assert len(CODES) > 8000
    assert all(len(code) in (2, 3) and code.isascii() and code.islower() for code in CODES)
    assert set(ALIASES.values()) - TWO_LETTERS == {"bho"}


@pytest.mark.parametrize(
    "code",
    [
        "en",
        "EN",
        "deu",
        "ger",
        "pt-BR",
        "pt_BR",
        "zh-Hant",
        "zh_Hant_TW",
        "eng_Latn",
        "es-419",
        "ca-valencia",
        "iw",
        "qaa",
    ],
)
def test_codes_of_iso_639_with_what_may_follow(code: str) -> None:
    assert is_language(code)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "english",
        "../x",
        "xx",
        "xyz",
        "e",
        "en-",
        "-en",
        "en_US.UTF-8",
        "en\n",
        " en",
        "\u212ao",
        "en-\u0661\u0661\u0661",
        "no\0",
    ],
)
def test_other_words_are_no_codes(code: str) -> None:
    assert not is_language(code)
    assert not is_language_suffix(f".{code}")


@given(st.text(max_size=12))
def test_any_word_gets_codes_that_exist(word: str) -> None:
    assert all(is_language(code) for code in close_codes(word))
    assert uses_spaces(word) is None or is_language(word)
    assert is_language(word) or not is_language_suffix("." + word)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("english", "en"),
        ("German", "de"),
        ("deutsch", "de"),
        ("french", "fr"),
        ("Chinese", "zh"),
        ("en_US.UTF-8", "en"),
    ],
)
def test_a_name_leads_to_its_code(word: str, code: str) -> None:
    assert close_codes(word)[0] == code


def test_two_letters_stand_for_three_and_for_members() -> None:
    codes = ["de", "deu", "ger", "de-AT", "zho_Hans", "cmn", "arb", "ceb", "iw"]
    assert list(map(short_code, codes)) == ["de", "de", "de", "de", "zh", "zh", "ar", "ceb", "he"]


def test_spaces_between_words_are_a_matter_of_the_script() -> None:
    without = {"Han", "Hiragana", "Katakana", *UNSPACED.replace("}", "").split(r"\p{")[1:]}
    for scripts, languages in _LANGUAGES_OF_SCRIPTS.items():
        for language in languages.split():
            assert uses_spaces(language) is not set(scripts.split()).issubset(without), language
    assert [uses_spaces(code) for code in ("jpn", "zh_Latn", "zh-TW", "tha", "ko", "english", None)] == [
        False, True, False, False, True, None, None
    ]  # fmt: skip


def test_corpora_agree_on_a_language() -> None:
    assert common_language(["en", None, "en", "english"]) == "en"
    assert common_language(["pt-BR", "pt-BR"]) == "pt-BR"
    assert common_language(["pt-BR", "por"]) == "pt"
    assert common_language(["en", "de"]) is None
    assert common_language([None]) is None


CORPORA = ".de .en .EN .pl .cs .tr .ml .el .mk .ps .pt .so .es .eng .deu .pt_BR .zh-Hans .ceb_Latn"
FORMATS = (
    ".md .py .sh .db .js .ts .hs .rs .rb .go .cc .hh .gz .xz .7z .cu .cr .gv .in .mo .po .vb .tf .txt .csv .tsv .xml"
    " .pdf .log .doc .zip .tar .bin .bak .run .map .src .tgt .html .json . de"
)


@pytest.mark.parametrize("suffix", CORPORA.split())
def test_suffixes_of_corpora_are_languages(suffix: str) -> None:
    assert is_language_suffix(suffix)


@pytest.mark.parametrize("suffix", FORMATS.split())
def test_suffixes_of_other_formats_are_not(suffix: str) -> None:
    assert not is_language_suffix(suffix)
