"""What a slot of a template is filled with: the same thing as English and as German write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from babel import lists
from num2words import num2words

EN, DE = "en", "de"


@dataclass(frozen=True)
class Phrase:
    """The same thing in English (source) and German (target)."""

    source: str
    target: str


Slot = Callable[[Random], Phrase]


def both(source: str, target: str) -> Phrase:
    """A phrase with plain single spaces; CLDR sets narrow and no-break ones."""
    return Phrase(" ".join(source.split()), " ".join(target.split()))


def in_words(value: int, language: str) -> str:
    """A number in words: twenty-one, einundzwanzig."""
    return str(num2words(value, lang=language))


def listed(source: Sequence[str], target: Sequence[str]) -> Phrase:
    """Two or three words as a list: a, b, and c."""
    return both(lists.format_list(source, locale=EN), lists.format_list(target, locale=DE))
