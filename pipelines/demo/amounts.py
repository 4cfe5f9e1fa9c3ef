"""A random generator in, amounts out: numbers, money and measures, in figures or in words.

Figures and units are CLDR's (`babel`), words those of `num2words`. Every slot keeps one convention (figures to
figures, figures to words, or words to figures): the German side is always a function of the English one.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

from babel import Locale, numbers, units
from num2words import num2words

from pipelines.demo.phrase import DE, EN, Phrase, Slot, both, in_words

_CURRENCIES = ("EUR", "USD", "GBP", "CHF", "JPY", "SEK")
_WITHOUT_CENTS = frozenset({"JPY"})
_NAMED_CURRENCIES = ("EUR", "USD", "CHF")
_SPELT = {20: 3, 100: 4, 1000: 2, 10_000: 1}
_UNITS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "length": (("length-meter", 2, 9000), ("length-kilometer", 2, 999)),
    "height": (("length-meter", 2, 3000), ("length-centimeter", 20, 900)),
    "distance": (("length-kilometer", 2, 9000), ("length-mile", 2, 900)),
    "weight": (("mass-kilogram", 2, 900), ("mass-gram", 10, 990), ("mass-tonne", 2, 90)),
    "volume": (("volume-liter", 2, 5000), ("volume-cubic-meter", 2, 90)),
    "temperature": (("temperature-celsius", 2, 45), ("temperature-fahrenheit", 10, 99)),
    "speed": (("speed-kilometer-per-hour", 5, 320), ("speed-meter-per-second", 2, 90)),
    "storage": (("digital-megabyte", 2, 990), ("digital-gigabyte", 2, 990), ("digital-terabyte", 2, 90)),
    "area": (("area-square-kilometer", 2, 9000), ("area-hectare", 2, 900), ("area-square-meter", 10, 900)),
    "energy": (("energy-kilowatt-hour", 2, 9900), ("energy-kilojoule", 20, 900)),
    "short": (("duration-minute", 2, 99), ("duration-hour", 2, 48)),
    "long": (("duration-day", 2, 99), ("duration-week", 2, 52), ("duration-month", 2, 24), ("duration-year", 2, 99)),
}


def _figures(value: int | Decimal) -> Phrase:
    return Phrase(numbers.format_decimal(value, locale=EN), numbers.format_decimal(value, locale=DE))


def _integer(random: Random, low: int = 2, high: int = 9999) -> int:
    """An integer of random magnitude, round half of the time above a thousand."""
    limits = [limit for limit in (20, 100, 1000, 10_000, 100_000) if low < limit and limit // 10 < high]
    value = random.randint(low, min(random.choice(limits) - 1, high))
    if value > 1000 and random.random() < 0.5:
        value = value // 100 * 100
    return value


def _spellable(random: Random, low: int = 2, high: int = 9999) -> int:
    """An integer people would put in words: mostly below a hundred, two digits and zeros above.

    So none ends in 01: before a noun ...eins would have to agree with its gender, which num2words does not know.
    """
    weights = {below: weight for below, weight in _SPELT.items() if low < below and below // 10 < high}
    below = random.choices(list(weights), list(weights.values()))[0]
    value = random.randint(low, min(below - 1, high))
    step: int = 10 ** max(0, len(str(value)) - 2)
    return value // step * step


def _decimal(random: Random, high: int = 99) -> Decimal:
    """One digit after the point, never zero."""
    return Decimal(random.randint(1, high) * 10 + random.randint(1, 9)) / 10


def figures(random: Random) -> Phrase:
    """1,234 | 1.234"""
    return _figures(_integer(random, high=99_999))


def spoken(random: Random) -> Phrase:
    """1,234 | eintausendzweihundertvierunddreißig"""
    value = _spellable(random)
    return Phrase(numbers.format_decimal(value, locale=EN), in_words(value, DE))


def written(random: Random) -> Phrase:
    """one thousand, two hundred and thirty-four | 1.234"""
    value = _spellable(random)
    return Phrase(in_words(value, EN), numbers.format_decimal(value, locale=DE))


def words(random: Random) -> Phrase:
    """forty-two | zweiundvierzig"""
    value = _spellable(random, high=999)
    return Phrase(in_words(value, EN), in_words(value, DE))


def decimal(random: Random) -> Phrase:
    """12.5 | 12,5"""
    return _figures(_decimal(random, high=999))


def decimal_spoken(random: Random) -> Phrase:
    """12.5 | zwölf Komma fünf"""
    value = _decimal(random, high=19)
    return Phrase(numbers.format_decimal(value, locale=EN), str(num2words(value, lang=DE)))


def millions(random: Random) -> Phrase:
    """2.5 million | 2,5 Millionen"""
    return _compact(random, 10**6)


def billions(random: Random) -> Phrase:
    """2.5 billion | 2,5 Milliarden"""
    return _compact(random, 10**9)


def _compact(random: Random, scale: int) -> Phrase:
    value = random.choice((Decimal(random.randint(2, 99)), _decimal(random))) * scale
    source, target = (
        numbers.format_compact_decimal(value, format_type="long", locale=language, fraction_digits=1)
        for language in (EN, DE)
    )
    return both(source, target)


def percent(random: Random) -> Phrase:
    """12.5% | 12,5 %"""
    value = random.choice((Decimal(random.randint(2, 99)), _decimal(random))) / 100
    pattern = Locale(DE).percent_formats[None].pattern.replace("#,##0", "#,##0.#")
    return both(numbers.format_percent(value, "#,##0.#%", locale=EN), numbers.format_percent(value, pattern, locale=DE))


def percent_spoken(random: Random) -> Phrase:
    """12 percent | zwölf Prozent"""
    return _unit(random, ("concentr-percent", 2, 99), spell_target=True)


def ordinal(random: Random) -> Phrase:
    """21st | einundzwanzigste (nominative, after an article)"""
    value = random.randint(1, 31)
    return Phrase(str(num2words(value, to="ordinal_num")), str(num2words(value, lang=DE, to="ordinal")))


def ordinal_dative(random: Random) -> Phrase:
    """21st | einundzwanzigsten"""
    phrase = ordinal(random)
    return Phrase(phrase.source, f"{phrase.target}n")


def ordinal_written(random: Random) -> Phrase:
    """twenty-first | 21."""
    value = random.randint(1, 31)
    return Phrase(str(num2words(value, to="ordinal")), f"{value}.")


def price(random: Random) -> Phrase:
    """€1,234.50 | 1.234,50 €"""
    currency = random.choice(_CURRENCIES)
    cents = 0 if currency in _WITHOUT_CENTS else random.choice((0, 50, 99, random.randint(1, 98)))
    value = _integer(random) + Decimal(cents) / 100
    return both(
        numbers.format_currency(value, currency, locale=EN), numbers.format_currency(value, currency, locale=DE)
    )


def money_spoken(random: Random) -> Phrase:
    """1,200 euros | eintausendzweihundert Euro"""
    value, source, target = _named_money(random)
    return Phrase(f"{numbers.format_decimal(value, locale=EN)} {source}", f"{in_words(value, DE)} {target}")


def money_written(random: Random) -> Phrase:
    """one thousand, two hundred euros | 1.200 Euro"""
    value, source, target = _named_money(random)
    return Phrase(f"{in_words(value, EN)} {source}", f"{numbers.format_decimal(value, locale=DE)} {target}")


def _named_money(random: Random) -> tuple[int, str, str]:
    """An amount, and the name of its currency in both languages."""
    value, currency = _spellable(random), random.choice(_NAMED_CURRENCIES)
    source, target = (numbers.get_currency_name(currency, count=value, locale=language) for language in (EN, DE))
    return value, source, target


def unit(name: str, *, spell_source: bool = False, spell_target: bool = False) -> Slot:
    """A measure of the named kind; each side in figures, or spelt."""

    def slot(random: Random) -> Phrase:
        return _unit(random, random.choice(_UNITS[name]), spell_source=spell_source, spell_target=spell_target)

    return slot


def _unit(
    random: Random, choice: tuple[str, int, int], *, spell_source: bool = False, spell_target: bool = False
) -> Phrase:
    kind, low, high = choice
    value: int | Decimal
    if spell_source or spell_target:
        value = _spellable(random, low, high)
    elif kind.startswith("duration") or random.random() < 0.7:
        value = _integer(random, low, high)
    else:
        value = _decimal(random, min(high, 99))
    pairs = []
    for language, spell in ((EN, spell_source), (DE, spell_target)):
        text = units.format_unit(value, kind, "long", locale=language)
        number = numbers.format_decimal(value, locale=language)
        pairs.append(text.replace(number, in_words(int(value), language)) if spell else text)
    return both(*pairs)


SLOTS: dict[str, Slot] = {
    slot.__name__: slot
    for slot in (
        *(figures, spoken, written, words, decimal, decimal_spoken, millions, billions, percent, percent_spoken),
        *(ordinal, ordinal_dative, ordinal_written, price, money_spoken, money_written),
    )
} | {
    f"{name}{ending}": unit(name, spell_source=ending == "_written", spell_target=ending == "_spoken")
    for name in _UNITS
    for ending in ("", "_written", "_spoken")
}
