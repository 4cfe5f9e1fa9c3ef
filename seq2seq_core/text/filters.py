"""Rows in, rows kept and rows rejected out, each with the rule, the measured value and the threshold.

A rule is a configuration with one vectorised method: `measure` takes the two text columns and says which rows fail
and what was measured. `FiltersConfig` is the catalogue: a new rule is a class here and a field there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.config import Config
from seq2seq_core.text.normalize import irregular_spaces
from seq2seq_core.text.records import Records, Sifted, reject

EMPTY = "empty"


@dataclass(frozen=True)
class Measure:
    """A rule's verdict on every row: whether it fails (bool, no nulls), and named columns of measured values."""

    failed: pa.BooleanArray
    values: dict[str, pa.Array]

    def describe_failed(self) -> pa.StringArray:
        """The measured values of the failed rows, as `source 3, target 212`."""
        parts: list[Any] = []
        for name, column in self.values.items():
            parts += [f"{', ' if parts else ''}{name} ", column.filter(self.failed).cast(pa.string())]
        return pc.binary_join_element_wise(*parts, "")


class Rule(Config, ABC):
    """One rule with its thresholds."""

    @abstractmethod
    def measure(self, source: pa.StringArray, target: pa.StringArray) -> Measure:
        """Judge every row; the columns have equal length and no nulls."""

    @property
    @abstractmethod
    def threshold(self) -> str:
        """What passes, in words, for the ledger."""


class EmptyRule(Rule):
    """Both sides hold something other than white space."""

    def measure(self, source: pa.StringArray, target: pa.StringArray) -> Measure:
        sides = {"source": count_words(source), "target": count_words(target)}
        empty = pc.or_(pc.equal(sides["source"], 0), pc.equal(sides["target"], 0))
        return Measure(empty, {name: pc.if_else(pc.equal(words, 0), "empty", "text") for name, words in sides.items()})

    @property
    def threshold(self) -> str:
        return "text on both sides"


class _RangeRule(Rule):
    """A length of each side lies within bounds."""

    minimum: int = Field(1, ge=0, description="fewest a side may have")
    maximum: int = Field(1, ge=1, description="most a side may have")

    @pydantic.model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self

    @abstractmethod
    def length(self, column: pa.StringArray) -> pa.Array:
        """The length of each row, in the unit of the rule."""

    def measure(self, source: pa.StringArray, target: pa.StringArray) -> Measure:
        sides = {"source": self.length(source), "target": self.length(target)}
        low, high = (pc.min_element_wise(*sides.values()), pc.max_element_wise(*sides.values()))
        return Measure(pc.or_(pc.less(low, self.minimum), pc.greater(high, self.maximum)), sides)

    @property
    def threshold(self) -> str:
        return f"{self.minimum} to {self.maximum}"


class WordsRule(_RangeRule):
    """The number of words of each side lies within bounds (150 at most: the limit of OpusCleaner's recipes)."""

    maximum: int = Field(150, ge=1, description="most words a side may have")

    def length(self, column: pa.StringArray) -> pa.Array:
        return count_words(column)


class CharactersRule(_RangeRule):
    """The number of characters of each side lies within bounds (1,024 at most: bicleaner-hardrules' limit)."""

    maximum: int = Field(1024, ge=1, description="most characters a side may have")

    def length(self, column: pa.StringArray) -> pa.Array:
        return pc.utf8_length(column)


class LengthRatioRule(Rule):
    """The longer side is at most so many times the shorter one (9: the limit of Moses' clean-corpus-n)."""

    maximum: float = Field(9.0, ge=1.0, description="longer side divided by shorter side, at most")
    unit: Literal["words", "characters"] = Field("characters", description="what the sides are measured in")

    def measure(self, source: pa.StringArray, target: pa.StringArray) -> Measure:
        count = count_words if self.unit == "words" else pc.utf8_length
        sides = [pc.max_element_wise(count(side).cast(pa.float64()), 1.0) for side in (source, target)]
        ratio = pc.divide(pc.max_element_wise(*sides), pc.min_element_wise(*sides))
        return Measure(pc.greater(ratio, self.maximum), {"ratio": pc.round(ratio, 3)})

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g} in {self.unit}"


class IdenticalRule(Rule):
    """The two sides differ."""

    def measure(self, source: pa.StringArray, target: pa.StringArray) -> Measure:
        same = pc.equal(source, target)
        return Measure(same, {"sides": pc.if_else(same, "identical", "different")})

    @property
    def threshold(self) -> str:
        return "sides differ"


class FiltersConfig(Config):
    """The catalogue of rules in the order they are asked; a row is counted under the first it fails.

    `null` or `false` switches a rule off, `true` gives its defaults. Rows with an empty side are always rejected.
    """

    words: WordsRule | None = Field(WordsRule(), description="number of words of each side")
    characters: CharactersRule | None = Field(CharactersRule(), description="number of characters of each side")
    length_ratio: LengthRatioRule | None = Field(LengthRatioRule(), description="longer side over shorter side")
    identical: IdenticalRule | None = Field(IdenticalRule(), description="reject rows whose sides are the same text")

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        """`true` for a rule means its defaults, `false` that it is off."""
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Name and rule of every rule that is on, in the order they are asked."""
        yield EMPTY, EmptyRule()
        for name in type(self).model_fields:
            rule = getattr(self, name)
            if rule is not None:
                yield name, rule


def only_empty() -> FiltersConfig:
    """The rules of given validation and test sets: every row with text on both sides stays."""
    return FiltersConfig(words=None, characters=None, length_ratio=None, identical=None)


def sift(records: Records, filters: FiltersConfig) -> Iterator[Sifted]:
    """Ask the rules one after the other; each step's `kept` is what the next one sees, the last is what stays."""
    for name, rule in filters.rules():
        measure = rule.measure(records.source, records.target)
        sifted = reject(records, measure.failed, name, measure.describe_failed(), rule.threshold)
        records = sifted.kept
        yield sifted


def count_words(column: pa.StringArray) -> pa.Array:
    """Words separated by white space, as `len(text.split())` counts them (int32)."""
    if pc.any(irregular_spaces(column)).as_py():
        parts = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(column))
        words = pc.list_value_length(parts)
    else:
        words = pc.add(pc.count_substring(column, " "), 1)
    return pc.if_else(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0), 0, words).cast(pa.int32())
