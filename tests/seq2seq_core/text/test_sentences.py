# ruff: noqa: RUF001 - the letters are those of the languages

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core.text.sentences import split_sentences

LANGUAGES = st.sampled_from(["en", "de", "fr", "ru", "ja", "zh", "ko", "th", "ar", "eng_Latn", "pt-BR", "ceb", "und"])
WORDS = ["1. ", "a) ", "(ii) ", "Dr. ", "Vol. ", "der 3. ", "http://a.B/c?D!E ", "U.S. ", "e.g. ", "Word. ", "wort "]
SIGNS = ["5", "「", "」", "。", "と", "！", "？", "。1. ", '"', "'s ", "...", " ", "\u3000", "\u00a0", "\t"]
SCRAPS = st.sampled_from([*WORDS, *SIGNS])
TEXTS = st.one_of(st.lists(SCRAPS, max_size=30).map("".join), st.text(st.characters(codec="utf-8"), max_size=40))


@given(TEXTS, LANGUAGES)
def test_sentences_partition_their_line(line: str, language: str) -> None:
    found = split_sentences(line, language)
    assert "".join(found) == line
    assert all(found)


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["1. First item. ", "2. Second item."]),
        ("en", ["1. First item"]),
        ("en", ["(iv) First. ", "(v) Second."]),
        ("en", ["IV. The end."]),
        ("en", ["1.2. A heading. ", "a. An item."]),
        ("en", ["See Vol. 3, pp. 4-5. ", "The rest is clear."]),
        ("en", ["In Fig. 3 and Eq. 4 it is i.e. That. ", "See Figs. 3 and Vol. II, too."]),
        ("en", ["Dr. Smith and J. S. Bach met in the U.S. ", "Then they left."]),
        ("en", ["It cost 3.5 dollars in the U.S. Senate. ", "No. 5 did not. ", "No. ", "It did."]),
        ("en", ["Yes... ", "And so on... no."]),
        ("en", ["Visit http://Example.Com/A?B=c!D or www.Example.Com. ", "Write to Foo.Bar@X.Com. ", "Now."]),
        ("de", ["z. B. am 3. Mai kam Nr. 5 an. ", "Dann ging er."]),
        ("de", ["Der 2. Weltkrieg begann im 20. Jahrhundert. ", "Das war 1939. ", "Danach kam nichts."]),
        ("de", ["Heute ist Montag, der 10. ", "Italien ist weit."]),
        ("de", ["Heute ist der 10. ", "Morgen ist der 11."]),
        ("de", ["Hrsg. Meier, inkl. MwSt. und geb. Schmidt."]),
        ("fr", ["M. Dupont, Mlle. Julie et Mgr. Lefebvre, t. III, no. 5. ", "Il mesure 5 m. ", "Puis il part."]),
        ("it", ["Dott. Verdi, pag. 5. ", "Poi."]),
        ("ru", ["Рис. 5 и Табл. 3, т. е. Москва. ", "Дал им. ", "Всё."]),
        ("pl", ["Dr. Kowalski, ul. Długa, Nr. 5, ok. 50. ", "Tak."]),
        ("nl", ["Mevr. De Vries kwam. ", "'s Avonds ging ze."]),
        ("tr", ["Bu 3. gün. ", "Sonra gitti."]),
        ("ar", ["1. أولا. ", "2. ثانيا."]),
        ("hi", ["1. पहला। ", "डॉ. शर्मा।"]),
        ("ja", ["「行きます。」と彼は言った。", "それから彼は行った。"]),
        ("ja", ["『本当？』って聞いた。", "「行く！」", "とにかく。"]),
        ("ja", ["彼は来た！と言った。", "「はい。」", "そして帰った。"]),
        ("ja", ["はじめに。", "1. 最初の項目。", "2. 次の項目。"]),
        ("zh", ["1. 第一项。", "2. 第二项。"]),
        ("ko", ['"가요." 라고 말했다. ', "그는 갔다."]),
        ("eng_Latn", ["Mr. Smith left. ", "He was late!"]),
        ("und", ["One. ", "Two."]),
    ],
)
def test_people_would_cut_here(language: str, sentences: list[str]) -> None:
    assert split_sentences("".join(sentences), language) == sentences


def test_a_long_line_is_cut_as_a_short_one() -> None:
    short = 'Mr. Smith left. "He was late!" she said. See Vol. 3, pp. 4-5. The rest is clear. '
    assert split_sentences(short * 500, "en") == split_sentences(short, "en") * 500


@pytest.mark.parametrize("scrap", ["B?", "1. ", "' ", "。1. ", "a. ", "」", "Der 1. ", "http://a?B"])
def test_time_grows_with_the_line_alone(scrap: str) -> None:
    line = scrap * (40_000 // len(scrap))
    started = time.process_time()
    assert "".join(split_sentences(line, "de")) == line
    assert time.process_time() - started < 10
