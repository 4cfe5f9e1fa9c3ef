"""Normalisation against plain Python, on real and adversarial text."""

from __future__ import annotations

import gzip
import itertools
import re
import unicodedata
from pathlib import Path
from typing import Any

import ftfy
import pyarrow as pa
import pytest
from ftfy.badness import BADNESS_RE, MOJIBAKE_CATEGORIES, is_bad
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.mojibake import rows_with_mojibake
from seq2seq_core.text.normalize import NormalizeConfig, normalize

SPACES = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
AWKWARD = (
    SPACES
    + "abiAIsS\u0130\u0131\u03a3\u03c3é\u0303\u0301\u0327\u0331H"  # letters that compose, or change their case oddly
    + "\u00b4\u00a8\u00b8\u02c6\u201c\u2019\u00ab\u2013\u2212\uff02\u2011"  # accents, quotes, dashes
    + "\x00\x7f\x93\u00ad\u200b\u200c\u200d\u200e\ufeff\ufffe\U000e0067\U000e007f"  # what nobody sees
    + "\u0628\u0646\ufefb\u0915\u094d\u0d4d\u2764\ufe0f\U0001f3f4\U0001f469\U0001f3fb"  # and where it has a meaning
    + "\u00c3\u00a9\u00c2\u00a0\u00e2\u20ac\u2122\u00bc\u00f0\u0178\u02dc\u20acA"  # mojibake
    + "\u1100\u1161\u11a8\uac00\ufb01\uff21\u2460\u304b\u3099\ufdfa"  # what NFC and NFKC change
)
TEXTS = st.lists(
    st.one_of(
        st.text(alphabet=st.sampled_from(AWKWARD), max_size=12),
        st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn"]), max_size=12),
    ),
    max_size=8,
)
OFF: dict[str, Any] = {"unicode": "none", "whitespace": False, "invisible": False, "mojibake": False}
ON: dict[str, Any] = {"accents": True, "quotes": True, "dashes": True, "case": "lower"}
CONFIGS = st.builds(
    NormalizeConfig,
    unicode=st.sampled_from(["nfkc", "nfc", "none"]),
    case=st.sampled_from(["lower", "none"]),
    transcript=st.sampled_from([None, "und", "tr", "zh"]),
    **{name: st.booleans() for name in ("whitespace", "invisible", "mojibake", "accents", "quotes", "dashes")},
)


def only(**values: Any) -> NormalizeConfig:
    return NormalizeConfig.model_validate(OFF | values)


def normalized(column: pa.StringArray, config: NormalizeConfig) -> pa.StringArray:
    return normalize(TextColumn(column), config).column


def run(texts: list[str], config: NormalizeConfig) -> list[str]:
    found: list[str] = normalized(pa.array(texts, pa.string()), config).to_pylist()
    return found


@given(TEXTS)
def test_white_space_is_what_python_splits_on(texts: list[str]) -> None:
    assert run(texts, only(whitespace=True)) == [" ".join(text.split()) for text in texts]


@given(TEXTS)
def test_irregular_rows_are_those_that_change(texts: list[str]) -> None:
    expected = [text != " ".join(text.split()) for text in texts]
    assert TextColumn(pa.array(texts, pa.string())).rows_with_irregular_spaces().tolist() == expected


@pytest.mark.parametrize("form", ["nfkc", "nfc"])
@given(texts=TEXTS)
def test_unicode_forms(form: str, texts: list[str]) -> None:
    assert run(texts, only(unicode=form)) == [unicodedata.normalize(form.upper(), text) for text in texts]


@pytest.mark.parametrize("form", ["nfkc", "nfc"])
def test_every_character_comes_to_its_form_alone_and_after_others(form: str) -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    texts = [*characters, *("a" + character for character in characters[:0x20000])]
    assert run(texts, only(unicode=form)) == [unicodedata.normalize(form.upper(), text) for text in texts]


@settings(max_examples=400)
@given(TEXTS, CONFIGS)
@example(["A\u0303\u00a9"], NormalizeConfig())  # composed, a mojibake
@example(["H\u0331"], NormalizeConfig(case="lower"))  # only the lower case has a composed form
@example(["\u00b4"], NormalizeConfig())  # NFKC makes a space of it
def test_twice_is_once_and_no_row_depends_on_another(texts: list[str], config: NormalizeConfig) -> None:
    once = run(texts, config)
    assert run(once, config) == once
    assert [run([text], config)[0] for text in texts] == once


@given(TEXTS)
def test_the_default_without_mojibake_and_invisibles_is_unicode_and_split(texts: list[str]) -> None:
    expected = [" ".join(unicodedata.normalize("NFKC", text).split()) for text in texts]
    assert run(texts, NormalizeConfig(invisible=False, mojibake=False)) == expected


def test_settings_of_older_datasets_still_read() -> None:
    old = NormalizeConfig.model_validate({"unicode": "nfc", "whitespace": True})
    assert run([" e\u0301 \ufb01 "], old) == ["é \ufb01"]


def test_nothing_is_touched_when_told_so() -> None:
    texts = pa.array(["  \ufb01 \u2028x ", "", "\x00\u200b\u00c3\u00bc\u201c\u2013", None])
    assert normalized(texts, only()).equals(texts)


@pytest.mark.parametrize("config", [NormalizeConfig(), NormalizeConfig(**ON)])
def test_nulls_stay_and_slices_are_seen_alone(config: NormalizeConfig) -> None:
    texts = pa.array(["cut off ", None, " \ufb01x\x00", None, "plain", "", " cut off"])
    assert normalized(texts.slice(1, 5), config).to_pylist() == [None, "fix", None, "plain", ""]
    assert normalized(texts.slice(0, 0), config).to_pylist() == []
    assert normalized(pa.array([None, None], pa.string()), config).to_pylist() == [None, None]


def test_a_column_in_order_is_given_back_as_it_is() -> None:
    text = TextColumn(pa.array(["Ein schöner Tag \u2013 \u201eja\u201c", "plain"]))
    assert normalize(text, NormalizeConfig()) is text


@pytest.mark.parametrize("side", ["en", "de", "fr"])
def test_real_text_comes_out_as_plain_python_has_it(multi30k: Path, side: str) -> None:
    texts = gzip.decompress((multi30k / f"val.{side}.gz").read_bytes()).decode().split("\n")
    assert run(texts, NormalizeConfig()) == [" ".join(unicodedata.normalize("NFKC", text).split()) for text in texts]


# Mojibake


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("\u00c3\u00bcber den Flu\u00c3\u0178", "über den Fluß"),
        ("It\u00e2\u20ac\u2122s", "It\u2019s"),
        ("voil\u00c3\u00a0 l\u00c3\u00a0", "voilà là"),
        ("voil\u00c3 l\u00c3\u00a9", "voilà lé"),
        ("\u00f0\u0178\u02dc\u20ac", "\U0001f600"),
        ("\u00d0\u0178\u00d1\u20ac\u00d0\u00b8\u00d0\u00b2\u00d0\u00b5\u00d1\u201a", "Привет"),
        ("\u00c3\u0192\u00c2\u00bc", "ü"),
        ("\x93Hi\x94", "\u201cHi\u201d"),
    ],
)
def test_known_mojibake(broken: str, whole: str) -> None:
    assert run([broken, "plain", whole], only(mojibake=True)) == [whole, "plain", whole]


def test_mojibake_is_repaired_before_nfkc_takes_it_apart() -> None:
    assert run(["sch\u00c3\u00b6n f\u00c3\u00bcr 5\u00c2\u00a0\u00c2\u00bc"], NormalizeConfig()) == [
        "schön für 5 1\u20444"
    ]


@pytest.mark.parametrize(
    ("encoding", "least"), [("latin-1", 600), ("cp1252", 600), ("cp1250", 300), ("mac-roman", 600)]
)
def test_real_text_in_the_wrong_encoding(multi30k: Path, encoding: str, least: int) -> None:
    lines = gzip.decompress((multi30k / "val.fr.gz").read_bytes()).decode().split("\n")
    broken = [line.encode().decode(encoding, "ignore") for line in lines]
    expected = [ftfy.fix_encoding(line) for line in broken]
    assert run(broken, only(mojibake=True)) == expected
    assert sum(line != fixed for line, fixed in zip(broken, expected, strict=True)) > least


@settings(max_examples=300)
@given(
    st.text(alphabet="ÄöéñçœŁžПрия\u2014\u2019\u201c中😀 \u00a0a", min_size=1, max_size=6),
    st.sampled_from(["latin-1", "cp1252"]),
    st.sampled_from(["ignore", "replace"]),
)
def test_no_row_that_ftfy_repairs_is_missed(text: str, encoding: str, errors: str) -> None:
    broken = text.encode().decode(encoding, errors)
    assert run([broken], only(mojibake=True)) == [ftfy.fix_encoding(broken)]


WEIRD = (
    "".join(MOJIBAKE_CATEGORIES.values()).replace("-", "")
    + "abcZ 09\u00c3\u00c2\u221a\u2248\u03b2\u20ac\u0432\u0402\u3042_\u2003\x1c"
)


@settings(max_examples=500)
@given(st.lists(st.text(alphabet=WEIRD, max_size=8), min_size=20, max_size=40), st.sampled_from([1, 20]))
def test_what_ftfy_calls_bad_is_found_in_few_rows_and_in_many(texts: list[str], times: int) -> None:
    texts = texts * times
    found = rows_with_mojibake(TextColumn(pa.array(texts, pa.string()))).tolist()
    assert [text for text, is_found in zip(texts, found, strict=True) if is_bad(text) and not is_found] == []


def test_what_ftfy_calls_bad_has_two_characters_beyond_ascii_side_by_side_or_one_of_a_few() -> None:
    """So says its expression: every arm that can do with less holds one of these few."""
    tokens = re.findall(r"\\.|\[\^?(?:\\.|[^\]\\])*\]|#[^\n]*|\s|.", BADNESS_RE.pattern)
    parts = [token for token in tokens if not token.isspace() and token[0] != "#"]
    arms = [[*arm] for is_bar, arm in itertools.groupby(parts, lambda part: part == "|") if not is_bar]
    assert len(arms) > 30
    ascii_text, alphabets = ("".join(map(chr, range(*limits))) for limits in ((0, 0x80), (0x80, 0x3000)))
    few = {*map(chr, range(0x80, 0xA0)), *"\xc2\xc3\u0152\u0153"}
    for arm in arms:
        is_wide = [part != "?" and not re.search(part, ascii_text) for part in arm]
        if not any(map(all, itertools.pairwise(is_wide))):
            assert any({*re.findall(part, alphabets)} <= few for part in itertools.compress(arm, is_wide)), arm


def test_every_white_space_counts_in_what_ftfy_calls_bad() -> None:
    texts = [f"X{space}\u00d1\u00a2" for space in SPACES]
    assert all(map(is_bad, texts))
    assert not is_bad("X\u00d1\u00a2")
    assert rows_with_mojibake(TextColumn(pa.array(texts))).all()


def test_hardly_any_real_text_is_looked_at_by_ftfy(multi30k: Path) -> None:
    for language in ("de", "fr"):
        lines = gzip.decompress((multi30k / f"train.{language}.gz").read_bytes()).decode().split("\n")
        assert rows_with_mojibake(TextColumn(pa.array(lines))).sum() < 10


def test_good_text_is_not_looked_at_by_ftfy() -> None:
    good = pa.array(["Живём в Риге \u2014 \u00abЖди\u00bb \u2026", "Ja \u2013 nein", "un âne et une âme", None])
    broken = pa.array(["f\u00c3\u00bcr", *good.to_pylist()])
    assert not rows_with_mojibake(TextColumn(good)).any()
    assert rows_with_mojibake(TextColumn(broken)).tolist() == [True, False, False, False, False]


# Characters that nobody sees


GONE = {0xAD, 0x61C, 0xFEFF, 0xFFF9, 0xFFFA, 0xFFFB, 0xE0001, 0x200B, 0x200E, 0x200F}
GONE |= {*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFDD0, 0xFDF0)}


def is_invisible(character: str) -> bool:
    """Of characters that are no joiners and tags."""
    code = ord(character)
    is_control = unicodedata.category(character) == "Cc" and character not in SPACES
    return is_control or code in GONE or code & 0xFFFE == 0xFFFE


def without_invisible(text: str) -> str:
    return "".join(character for character in text if not is_invisible(character))


def test_every_character_stays_or_goes() -> None:
    joiners = {0x200C, 0x200D, *range(0xE0020, 0xE0080)}
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    stays = run([f"a{character}" for character in characters], only(invisible=True))
    gone = {character for character, text in zip(characters, stays, strict=True) if text == "a"}
    assert gone == {c for c in characters if ord(c) in joiners or is_invisible(c)}


@given(st.lists(st.text(alphabet=st.sampled_from(re.sub("[\u200c\u200d\U000e0020-\U000e007f]", "", AWKWARD)))))
def test_invisible_characters_go(texts: list[str]) -> None:
    assert run(texts, only(invisible=True)) == [without_invisible(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian: mikhaham
        "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937",  # Devanagari: half form, explicit virama
        "\u0d05\u0d35\u0d28\u0d4d\u200d",  # Malayalam: a chillu at the end of a word
        "\U0001f469\U0001f3fb\u200d\U0001f680",  # woman astronaut, light skin
        "\u2764\ufe0f\u200d\U0001f525",  # heart on fire
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # flag of Scotland
        "\U0001f3f4\u200d\u2620\ufe0f",  # pirate flag
    ],
)
def test_joiners_stay_where_they_mean_something(text: str) -> None:
    assert run([text, f"x {text} y"], NormalizeConfig()) == [text, f"x {text} y"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200cb\u200d", "ab"),
        ("\u0645\u06cc\u200c \u0645", "\u0645\u06cc \u0645"),
        ("\u0645\u06cc\u200c\u200c\u0645", "\u0645\u06cc\u200c\u0645"),
        ("\u0645\u200b\u200c\u200e\u0645", "\u0645\u200c\u0645"),
        ("\u200d\U0001f469 \u200d\U0001f680", "\U0001f469 \U0001f680"),
        ("x\U000e0061\U000e0062", "x"),
        ("\U0001f3f4\U000e0067", "\U0001f3f4"),
        ("e\u00ad\u0301", "é"),
        ("\u202eabc\u202c \ufeffd", "abc d"),
    ],
)
def test_stray_ones_go(text: str, expected: str) -> None:
    assert run([text], NormalizeConfig()) == [expected]


# Accents, quotes, dashes, case


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("caf\u00b4 e", "café"),
        ("r\u00b4 esum\u00b4 e", "résumé"),
        ("cafe \u00b4", "café"),
        ("\u00a8 alter und G\u00a8odel, U\u00a8ber", "älter und Gödel, Über"),
        ("Fran\u00b8cois, Franc\u00b8ois", "François, François"),
        ("fa\u00b4\u0131sca na\u00a8\u0131ve", "faísca naïve"),
        ("Dvo\u02c7r\u00b4 ak", "Dvořák"),
        ("\u02dcnandu \u02daA", "ñandu Å"),
        ("geht\u00b4s l\u00b4eau rock \u00b4n\u00b4 roll", "geht\u00b4s l\u00b4eau rock \u00b4n\u00b4 roll"),
        ("5\u00b4 and 20\u02da u", "5\u00b4 and 20\u02da u"),
        ("`echo` ~a ^e", "`echo` ~a ^e"),
        ("x\u00a8x", "x\u00a8x"),
    ],
)
def test_detached_accents(text: str, expected: str) -> None:
    assert run([text], only(accents=True)) == [expected]
    assert run([text], only()) == [text]


def test_accents_go_back_before_nfkc_makes_spaces_of_them() -> None:
    assert run(["Universit\u00b4 e"], NormalizeConfig(accents=True)) == ["Université"]


@given(TEXTS)
def test_quotes_and_dashes_one_by_one(texts: list[str]) -> None:
    table = dict.fromkeys(map(ord, "\u2018\u2019\u201a\u201b\u2039\u203a\u00b4\u275b\u275c"), "'")
    table |= dict.fromkeys(map(ord, "\u00ab\u00bb\u201c\u201d\u201e\u201f\u275d\u275e\u301d\u301e\u301f"), '"')
    assert run(texts, only(quotes=True)) == [text.translate(table) for text in texts]
    dashes = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d"
    table = dict.fromkeys(map(ord, dashes), "-")
    assert run(texts, only(dashes=True)) == [text.translate(table) for text in texts]


def test_quotes_and_dashes_that_nfkc_brings_out_are_straight_too() -> None:
    config = NormalizeConfig(quotes=True, dashes=True)
    assert run(["\uff02a\uff02 b\u2011c \ufe63 it\u00b4s"], config) == ['"a" b-c - it\'s']


@given(TEXTS)
def test_lower_case_is_pythons_with_a_plain_i_for_the_dotted_one(texts: list[str]) -> None:
    assert run(texts, only(case="lower")) == [text.replace("\u0130", "i").lower() for text in texts]


def test_lower_case() -> None:
    texts = ["ÄÖ ß ẞ", "\u03a3\u039f\u03a6\u039f\u03a3", "\u0130stanbul I"]
    assert run(texts, only(case="lower")) == ["äö ß ß", "\u03c3\u03bf\u03c6\u03bf\u03c2", "istanbul i"]
