# ruff: noqa: RUF001 (characters that look like others are what is tested)
from __future__ import annotations

import unicodedata
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq_core.config import build
from seq2seq_core.errors import ConfigError
from seq2seq_core.text import transcripts
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig, normalize

LANGUAGES = st.sampled_from(["und", "en", "de", "tr", "zh", "th", "ja"])
AWKWARD = "aI\u0130\u0131ßẞΣς'`\u2019\u02bc- .,!\u3000\t\u200b\u00ad\ufe0f\u0301\u0307ｱﾞ我们ーสวัสดี ﬁ½"
TEXTS = st.lists(st.one_of(st.text(alphabet=AWKWARD, max_size=12), st.text(max_size=12)), max_size=6)


def form(text: str, language: str = "und") -> str:
    found: str = transcripts.standard(pa.array([text]), language)[0].as_py()
    return found


def run(texts: list[str | None], language: str) -> list[str | None]:
    config = NormalizeConfig(mojibake=False, transcript=language)
    found: list[str | None] = normalize(TextColumn(pa.array(texts, pa.string())), config).column.to_pylist()
    return found


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Don\u2019t STOP, the 'quick' twenty-one!", "en", "don't stop the quick twenty one"),
        ("rock 'n' roll, dogs' ''", "en", "rock n roll dogs"),
        ("3.5 % of $12", "en", "3 5 of 12"),
        ("Ｆｕｌｌ ﬁne\u00a0x", "en", "full fine x"),
        ("soft\u00adware \u2764\ufe0f", "en", "software"),
        ("Straße, STRASSE, GROẞ", "de", "strasse strasse gross"),
        ("L'eau\u2014d\u2019été", "fr", "l'eau d'été"),
        ("IŞIK İstanbul I\u0307", "tr", "ışık istanbul i"),
        ("IŞIK İstanbul", "tr-TR", "ışık istanbul"),
        ("IŞIK İstanbul", "en", "işik istanbul"),
        ("Ὀδυσσεύς", "el", "ὀδυσσεύσ"),
        ("我 们 love you 你 ！", "zh", "我们love you你"),
        ("我 们", "en", "我 们"),
        ("スーパー マン", "ja", "スーパーマン"),
        ("नमस्ते, दुनिया।", "hi", "नमस्ते दुनिया"),
        ("[noise] so (laughs) he said <unk>", "en", "so he said"),
        ("[noise]", "en", ""),
        ("a ] b [ c", "en", "a b c"),
        ("  ?! ", "en", ""),
        ("", "en", ""),
    ],
)
def test_the_standard_form(text: str, language: str, expected: str) -> None:
    assert form(text, language) == unicodedata.normalize("NFKC", expected)


def test_words_of_languages_without_spaces_are_their_characters() -> None:
    def words(text: str, language: str) -> list[str]:
        found: list[str] = transcripts.words_apart(pa.array([text]), language)[0].as_py().split()
        return found

    assert words("我们love you你", "zh") == ["我", "们", "love", "you", "你"]
    assert words("ดีครับ", "th") == ["ด\u0e35", "ค", "ร\u0e31", "บ"]
    assert words("我们 x", "en") == ["我们", "x"]


@settings(max_examples=25, deadline=None)
@given(TEXTS, LANGUAGES)
@example(["ẞ\u0301"], "de")
@example(["' '"], "en")
def test_twice_is_once_and_no_row_depends_on_another(texts: list[str], language: str) -> None:
    once = run([*texts], language)
    assert run(once, language) == once
    assert [run([text], language)[0] for text in texts] == once


@settings(max_examples=25, deadline=None)
@given(TEXTS, LANGUAGES)
def test_nothing_is_left_but_words_and_apostrophes_inside_them(texts: list[str], language: str) -> None:
    for text in run([*texts], language):
        assert text is not None
        assert text == " ".join(text.split())
        for word in text.split():
            assert word.strip("'") == word
            assert {unicodedata.category(c)[0] for c in word if c != "'"} <= {"L", "M", "N"}


@given(TEXTS)
def test_rows_that_are_not_loose_have_the_form_already(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    loose = transcripts.loose_rows(TextColumn(column)).tolist()
    for text, is_loose in zip(texts, loose, strict=True):
        assert is_loose or form(text) == text


def test_nulls_stay_null() -> None:
    assert run([None, "A!"], "en") == [None, "a"]
    assert run([None], "tr") == [None]


@pytest.mark.parametrize("code", ["english", "e n", "", "en_"])
def test_what_is_no_language_is_refused(code: str) -> None:
    with pytest.raises(ConfigError, match=r"transcript: no language has the code .*; expected a code of ISO 639"):
        build(NormalizeConfig, {"transcript": code})


@pytest.mark.parametrize("values", [{}, {"transcript": None}])
def test_what_is_off_is_not_written(values: dict[str, Any]) -> None:
    assert "transcript" not in NormalizeConfig(**values).model_dump()
    assert NormalizeConfig.model_validate(NormalizeConfig(transcript="de").model_dump()).transcript == "de"
