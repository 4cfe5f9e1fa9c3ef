"""A vocabulary tells whose ways a model has; languages are found by their codes, or named where they are not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.engines.converted.families import FAMILIES, TYPES, family_of, frame_of
from seq2seq_core.engines.converted.generating import Frame, Vocabulary
from seq2seq_core.errors import ConfigError, ModelError

USUAL = ["<s>", "<pad>", "</s>", "<unk>", "a", "b"]
SPECIAL: dict[Any, str | None] = {"begin": "<s>", "end": "</s>", "first": "<s>"}


def frame(name: str, tokens: list[str], source: str | None = None, target: str | None = None, **more: Any) -> Frame:
    vocabulary = Vocabulary([*USUAL, *tokens], [*USUAL, *tokens], "</s>")
    return frame_of(FAMILIES[name], vocabulary, more.pop("special", SPECIAL), (source, target), [4], "here", **more)


@pytest.mark.parametrize(
    ("tokens", "start", "kind", "expected"),
    [
        (["eng_Latn", "deu_Latn", "<mask>"], "</s>", None, "nllb"),
        (["__en__", "__de__"], "</s>", None, "m2m100"),
        (["en_XX", "de_DE", "<mask>"], None, None, "mbart"),
        (["en_XX", "de_DE", "<mask>"], "</s>", None, "mbart50"),
        (["<2de>", "<extra_id_0>"], "<pad>", None, "madlad"),
        (["<extra_id_0>"], "<pad>", "mt5", "t5"),
        (["<mask_1>", "<mask>"], "<pad>", None, "pegasus"),
        (["<mask>"], "</s>", None, "bart"),
        ([">>deu<<"], "</s>", None, "marian"),
        ([], "</s>", None, "marian_pair"),
        (["<mask>", ">>deu<<"], "</s>", "marian", "marian"),
    ],
)
def test_a_vocabulary_tells_the_family(tokens: list[str], start: str | None, kind: str | None, expected: str) -> None:
    assert family_of([*USUAL, *tokens], start, kind).name == expected


def test_every_type_has_a_family() -> None:
    assert {"bart", "m2m_100", "marian", "mbart", "mt5", "pegasus", "t5", "umt5"} == TYPES


def test_what_stands_around_a_text() -> None:
    codes = ["en_XX", "de_DE"]
    assert frame("mbart50", codes, "en", "de_DE") == Frame((6, 4), (2,), (7,))
    assert frame("mbart", codes, "en_XX", "de", starts=True) == Frame((4,), (2, 6), (7,), starts=True)
    assert frame("madlad", ["<2de>", "<2pt-BR>"], None, "pt-BR") == Frame((7, 4), (2,), ())
    assert frame("bart", []) == Frame((0, 4), (2,), (0,))
    ended = {"begin": None, "end": None, "first": None}  # where the library adds them
    assert frame("bart", [], special=ended) == Frame((4,), (), ())
    assert frame("marian_pair", [], None, "de") == Frame((4,), (2,), ())


def test_languages_that_are_missing_unknown_or_several() -> None:
    codes = ["zho_Hans", "zho_Hant", *(f"{chr(97 + n)}aa_Latn" for n in range(26))]
    assert frame("nllb", codes, "baa", "zho_Hant").first == (7,)
    for source, target, problem in (
        ("baa", None, "has to be told the language; found no target_language"),
        ("baa", "zho", "no tag for this language; found target_language zho; expected one of zho_Han"),
        ("xx", "baa", r"no tag.*found source_language xx; .*\(and 16 more\)"),
    ):
        with pytest.raises(ConfigError, match=problem):
            frame("nllb", codes, source, target)
    with pytest.raises(ModelError, match="lacks a token"):
        frame("bart", [], special={"begin": "<begin>"})


@given(st.sampled_from(sorted(FAMILIES)), st.lists(st.text(max_size=12), max_size=6, unique=True))
def test_languages_are_what_the_tag_says(name: str, tokens: list[str]) -> None:
    family = FAMILIES[name]
    for code, token in family.languages(tokens).items():
        assert token in tokens
        assert family.tag is not None
        assert re.fullmatch(family.tag, token)
        assert code in token
