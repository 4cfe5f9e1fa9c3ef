"""A random generator in, names of cities, countries and languages out, as CLDR has them."""

from __future__ import annotations

from random import Random

from babel import Locale, dates

from pipelines.demo.phrase import DE, EN, Phrase, Slot, both, listed

_CITIES = (
    *("Africa/Cairo", "Africa/Tripoli", "America/Havana", "America/Lima", "America/Mexico_City", "America/New_York"),
    *("Asia/Baghdad", "Asia/Beirut", "Asia/Hong_Kong", "Asia/Singapore", "Asia/Tokyo", "Europe/Athens"),
    *("Europe/Belgrade", "Europe/Berlin", "Europe/Brussels", "Europe/Budapest", "Europe/Copenhagen", "Europe/Dublin"),
    *("Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Moscow", "Europe/Oslo", "Europe/Paris"),
    *("Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw", "Europe/Zurich"),
)
# Countries whose German names stand without an article: "in Kanada", not "in der Schweiz".
_COUNTRIES = (
    *("AR", "AT", "AU", "BE", "BR", "CA", "CL", "CN", "CU", "CZ", "DE", "DK", "EE", "EG", "ES", "FI", "FR", "GR"),
    *("HR", "HU", "ID", "IE", "IN", "IS", "IT", "JP", "KE", "MA", "MX", "NO", "NZ", "PE", "PL", "PT", "RO", "RU"),
    *("SE", "TH", "TN", "VN"),
)
_LANGUAGES = (
    *("ar", "cs", "cy", "da", "de", "el", "en", "es", "et", "fi", "fr", "he", "hi", "hr", "hu", "is", "it", "ja"),
    *("ko", "la", "nl", "no", "pl", "pt", "ro", "ru", "sv", "tr", "vi", "zh"),
)


def city(random: Random) -> Phrase:
    """Vienna | Wien"""
    zone = random.choice(_CITIES)
    return both(*(dates.get_timezone_location(zone, locale=language, return_city=True) for language in (EN, DE)))


def country(random: Random) -> Phrase:
    """Austria | Österreich"""
    return _named("territories", random.choice(_COUNTRIES))


def countries(random: Random) -> Phrase:
    """Austria, Peru, and Japan | Österreich, Peru und Japan"""
    return _all_of("territories", random.sample(_COUNTRIES, random.choice((2, 3))))


def language(random: Random) -> Phrase:
    """Danish | Dänisch"""
    return _named("languages", random.choice(_LANGUAGES))


def languages(random: Random) -> Phrase:
    """Danish, Polish, and Greek | Dänisch, Polnisch und Griechisch"""
    return _all_of("languages", random.sample(_LANGUAGES, random.choice((2, 3))))


def _named(table: str, code: str) -> Phrase:
    return both(*(getattr(Locale(name), table)[code] for name in (EN, DE)))


def _all_of(table: str, codes: list[str]) -> Phrase:
    phrases = [_named(table, code) for code in codes]
    return listed([phrase.source for phrase in phrases], [phrase.target for phrase in phrases])


SLOTS: dict[str, Slot] = {slot.__name__: slot for slot in (city, country, countries, language, languages)}
