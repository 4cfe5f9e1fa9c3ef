"""Phrases: both sides mean the same, in the form the slot's name promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import pytest

from pipelines.demo import moments
from pipelines.demo.phrase import Phrase
from pipelines.demo.slots import SLOTS


def draws(name: str, count: int = 300) -> Iterator[Phrase]:
    random = Random(name)
    return (SLOTS[name](random) for _ in range(count))


@pytest.mark.parametrize("name", SLOTS)
def test_phrases_are_plain_text(name: str) -> None:
    for phrase in draws(name, 60):
        for text in (phrase.source, phrase.target):
            assert text
            assert text == " ".join(text.split())
            assert not re.search(r"[\u00a0\u202f\u2009]", text)


@pytest.mark.parametrize("name", [name for name in SLOTS if name.endswith("_spoken") or name == "spoken"])
def test_spoken_phrases_have_figures_on_the_english_side_alone(name: str) -> None:
    for phrase in draws(name):
        assert re.search(r"\d", phrase.source)
        assert not re.search(r"\d", phrase.target)


@pytest.mark.parametrize("name", [name for name in SLOTS if name.endswith("_written") or name == "written"])
def test_written_phrases_have_figures_on_the_german_side_alone(name: str) -> None:
    for phrase in draws(name):
        assert not re.search(r"\d", phrase.source)
        assert re.search(r"\d", phrase.target)


@pytest.mark.parametrize("name", ["figures", "decimal", "length", "weight", "volume", "energy"])
def test_figures_swap_points_and_commas(name: str) -> None:
    for phrase in draws(name):
        source, target = (re.match(r"[\d.,]+", text) for text in (phrase.source, phrase.target))
        assert source
        assert target
        assert source[0].translate(str.maketrans(",.", ".,")) == target[0]


@pytest.mark.parametrize("name", ["spoken", "written", "words", "money_spoken", "weight_spoken", "distance_written"])
def test_no_number_before_a_noun_ends_in_one(name: str) -> None:
    for phrase in draws(name, 2000):
        assert not re.search(r"(^|t|hundert|tausend)eins\b", phrase.target), phrase
        assert not re.search(r"(^|\D)\d*01\b|^1 ", phrase.target), phrase


def test_dates_keep_day_month_and_year() -> None:
    for phrase in draws("date_iso"):
        year, month, day = phrase.source.split("-")
        assert phrase.target == f"{day}.{month}.{year}"
    months = {language: moments.dates.get_month_names("wide", locale=language) for language in ("en", "de")}
    for phrase in draws("date"):
        found = re.fullmatch(r"(\w+) (\d+), (\d{4})", phrase.source)
        assert found
        number = next(number for number, name in months["en"].items() if name == found[1])
        assert phrase.target == f"{found[2]}. {months['de'][number]} {found[3]}"


def test_clocks_turn_to_24_hours() -> None:
    for phrase in draws("clock"):
        hour, minute, half = re.fullmatch(r"(\d+):(\d\d) ([AP]M)", phrase.source).groups()  # type: ignore[union-attr]
        assert phrase.target == f"{int(hour) % 12 + 12 * (half == 'PM'):02d}:{minute} Uhr"


def test_one_o_clock_is_not_spelt_eins() -> None:
    spoken = {phrase.source: phrase.target for phrase in draws("clock_spoken", 2000)}
    assert spoken["01:00"] == "ein Uhr"
    assert spoken["21:45"] == "einundzwanzig Uhr fünfundvierzig"


def test_cases_follow_the_article() -> None:
    assert all(re.search(r"ste|te", phrase.target) for phrase in draws("ordinal"))
    assert all(phrase.target.endswith("ten") for phrase in draws("ordinal_dative"))
    assert all(re.fullmatch(r"\w+, der \d+\. \w+ \d{4}", phrase.target) for phrase in draws("date_full"))
    assert all(re.fullmatch(r"\w+, dem \d+\. \w+ \d{4}", phrase.target) for phrase in draws("date_full_dative"))
    assert all(re.search(r"^in \d+ (Minuten|Stunden|Tagen|Wochen)$", phrase.target) for phrase in draws("ahead"))
    assert all(re.search(r"^vor \d+ (Minuten|Stunden|Tagen|Wochen)$", phrase.target) for phrase in draws("ago"))


def test_names_come_in_both_languages() -> None:
    cities = {phrase.source: phrase.target for phrase in draws("city", 500)}
    countries = {phrase.source: phrase.target for phrase in draws("country", 800)}
    languages = {phrase.source: phrase.target for phrase in draws("language", 500)}
    assert (cities["Vienna"], cities["Warsaw"]) == ("Wien", "Warschau")
    assert (countries["Austria"], countries["New Zealand"]) == ("Österreich", "Neuseeland")
    assert (languages["Danish"], languages["Dutch"]) == ("Dänisch", "Niederländisch")
