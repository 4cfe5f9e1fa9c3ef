"""A random generator in, dates, times and durations relative to now out, as CLDR and `num2words` write them."""

from __future__ import annotations

import datetime as dt
from random import Random

from babel import dates
from num2words import num2words

from pipelines.demo.phrase import DE, EN, Phrase, Slot, both, in_words, listed


def _date(random: Random, first: int = 1900, last: int = 2039) -> dt.date:
    return dt.date(random.randint(first, last), 1, 1) + dt.timedelta(days=random.randint(0, 364))


def _time(random: Random) -> dt.time:
    return dt.time(random.randint(0, 23), random.choice((*range(0, 60, 5), random.randint(1, 59))))


def date(random: Random) -> Phrase:
    """March 3, 2024 | 3. März 2024"""
    day = _date(random)
    return Phrase(dates.format_date(day, "long", locale=EN), dates.format_date(day, "long", locale=DE))


def date_iso(random: Random) -> Phrase:
    """2024-03-14 | 14.03.2024"""
    day = _date(random)
    return Phrase(day.isoformat(), dates.format_date(day, "medium", locale=DE))


def date_numeric(random: Random) -> Phrase:
    """3/14/24 | 14.03.24"""
    day = _date(random)
    return Phrase(dates.format_date(day, "short", locale=EN), dates.format_date(day, "short", locale=DE))


def date_full(random: Random) -> Phrase:
    """Sunday, March 3, 2024 | Sonntag, der 3. März 2024"""
    return _full_date(random, "der")


def date_full_dative(random: Random) -> Phrase:
    """Sunday, March 3, 2024 | Sonntag, dem 3. März 2024"""
    return _full_date(random, "dem")


def _full_date(random: Random, article: str) -> Phrase:
    day = _date(random)
    weekday, rest = dates.format_date(day, "full", locale=DE).split(", ")
    return Phrase(dates.format_date(day, "full", locale=EN), f"{weekday}, {article} {rest}")


def day_month(random: Random) -> Phrase:
    """March 3 | 3. März"""
    day = _date(random)
    source, target = (dates.format_skeleton("MMMMd", day, locale=language) for language in (EN, DE))
    return Phrase(source, target)


def day_month_spoken(random: Random) -> Phrase:
    """March 3rd | dritten März (dative or accusative)"""
    day = _date(random)
    source, target = (dates.format_date(day, "MMMM", locale=language) for language in (EN, DE))
    return Phrase(
        f"{source} {num2words(day.day, to='ordinal_num')}", f"{num2words(day.day, lang=DE, to='ordinal')}n {target}"
    )


def date_span(random: Random) -> Phrase:
    """Mar 3 - 9, 2024 | 3.-9. März 2024 (with en dashes)"""
    year, month, first = random.randint(1990, 2039), random.randint(1, 12), random.randint(1, 20)
    start = dt.date(year, month, first)
    end = start.replace(day=random.randint(first + 1, 28))
    return both(*(dates.format_interval(start, end, "yMMMd", locale=language) for language in (EN, DE)))


def month_year(random: Random) -> Phrase:
    """March 2024 | März 2024"""
    day = _date(random)
    return both(*(dates.format_skeleton("yMMMM", day, locale=language) for language in (EN, DE)))


def month(random: Random) -> Phrase:
    """March | März"""
    index = random.randint(1, 12)
    return both(*(dates.get_month_names("wide", locale=language)[index] for language in (EN, DE)))


def quarter(random: Random) -> Phrase:
    """1st quarter 2024 | 1. Quartal 2024"""
    day = _date(random)
    return both(*(dates.format_skeleton("yQQQQ", day, locale=language) for language in (EN, DE)))


def weekday(random: Random) -> Phrase:
    """Monday | Montag"""
    index = random.randint(0, 6)
    return both(*(dates.get_day_names("wide", locale=language)[index] for language in (EN, DE)))


def weekdays(random: Random) -> Phrase:
    """Mondays | montags (with "on" before the English word)"""
    phrase = weekday(random)
    return Phrase(f"{phrase.source}s", f"{phrase.target.lower()}s")


def weekday_list(random: Random) -> Phrase:
    """Monday, Tuesday, and Friday | Montag, Dienstag und Freitag"""
    days = sorted(random.sample(range(7), random.choice((2, 3))))
    return listed(
        [dates.get_day_names("wide", locale=EN)[day] for day in days],
        [dates.get_day_names("wide", locale=DE)[day] for day in days],
    )


def year_spoken(random: Random) -> Phrase:
    """1984 | neunzehnhundertvierundachtzig"""
    value = random.randint(1900, 2039)
    return Phrase(str(value), str(num2words(value, lang=DE, to="year")))


def year_written(random: Random) -> Phrase:
    """nineteen eighty-four | 1984"""
    value = random.randint(1500, 2039)
    return Phrase(str(num2words(value, to="year")), str(value))


def clock(random: Random) -> Phrase:
    """3:05 PM | 15:05 Uhr"""
    time = _time(random)
    source, target = (dates.format_time(time, "short", locale=language) for language in (EN, DE))
    return both(source, f"{target} Uhr")


def clock_spoken(random: Random) -> Phrase:
    """15:05 | fünfzehn Uhr fünf"""
    time = _time(random)
    hour = "ein" if time.hour == 1 else in_words(time.hour, DE)
    minute = f" {in_words(time.minute, DE)}" if time.minute else ""
    return Phrase(f"{time:%H:%M}", f"{hour} Uhr{minute}")


def hours(random: Random) -> Phrase:
    """9:00 AM to 5:30 PM | 09:00 bis 17:30 Uhr"""
    opens, closes = dt.time(random.randint(5, 11)), dt.time(random.randint(12, 22), random.choice((0, 30)))
    source = " to ".join(dates.format_time(time, "short", locale=EN) for time in (opens, closes))
    target = " bis ".join(dates.format_time(time, "short", locale=DE) for time in (opens, closes))
    return both(source, f"{target} Uhr")


def ahead(random: Random) -> Phrase:
    """in 3 days | in 3 Tagen"""
    return _distance_in_time(random, 1)


def ago(random: Random) -> Phrase:
    """2 hours ago | vor 2 Stunden"""
    return _distance_in_time(random, -1)


def _distance_in_time(random: Random, direction: int) -> Phrase:
    kind, high = random.choice((("minutes", 44), ("hours", 22), ("days", 6), ("weeks", 3)))
    delta = direction * dt.timedelta(**{kind: random.randint(2, high)})
    return both(
        *(dates.format_timedelta(delta, threshold=2, add_direction=True, locale=language) for language in (EN, DE))
    )


SLOTS: dict[str, Slot] = {
    slot.__name__: slot
    for slot in (
        *(date, date_iso, date_numeric, date_full, date_full_dative, day_month, day_month_spoken, date_span),
        *(month_year, month, quarter, weekday, weekdays, weekday_list, year_spoken, year_written),
        *(clock, clock_spoken, hours, ahead, ago),
    )
}
