"""Rows in, rows kept and rows rejected out, each with the rule, the measured value and the threshold.

`FiltersConfig` is the catalogue of rules: a new rule is a class in `seq2seq_core.text.rules` and a field here, and
asked for by its name nowhere else. (A user's rule is a function anywhere, named in `own`.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pydantic
from pydantic import Field

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.records import Records, Sifted, reject, reject_nothing
from seq2seq_core.text.octets import Bools
from seq2seq_core.text.rules.agreement import IdenticalRule, NearIdenticalRule, NumbersRule, TerminalPunctuationRule
from seq2seq_core.text.rules.base import Measure, PieceRule, Rows, Rule, Sides
from seq2seq_core.text.rules.characters import AlphabeticRule, MarkupRule, ScriptRule
from seq2seq_core.text.rules.language import LanguageRule
from seq2seq_core.text.rules.lengths import (
    CharactersRule,
    EmptyRule,
    LengthRatioRule,
    LongestWordRule,
    TokensRule,
    WordsRule,
)
from seq2seq_core.text.rules.markup import BracketsRule, HtmlRule, UrlsRule
from seq2seq_core.text.rules.own import OwnRule
from seq2seq_core.text.rules.phrases import PhrasesRule
from seq2seq_core.text.rules.repetition import (
    RepeatedCharactersRule,
    RepeatedNgramsRule,
    RepeatedWordsRule,
    RepetitionRule,
)
from seq2seq_core.text.rules.speech import ClippingRule, NonSpeechRule, SecondsRule, SilenceRule, SpeechRateRule

_ALWAYS: dict[str, Rule] = {"empty": EmptyRule()}
_RENEW_SHARE = 0.1  # of rows gone: the others are then copied, so that rules need not measure what is gone


class FiltersConfig(Config):
    """The catalogue of rules in the order they are asked, cheap ones first; a row counts under the first it fails.

    `null` or `false` switches a rule off, `true` gives its defaults. Rows with an empty side are always rejected.
    """

    seconds: SecondsRule | None = Field(SecondsRule(), description="of speech: how long it is")
    silence: SilenceRule | None = Field(SilenceRule(), description="of speech: share of it that is silent")
    clipping: ClippingRule | None = Field(ClippingRule(), description="of speech: share of samples at full scale")
    non_speech: NonSpeechRule | None = Field(
        NonSpeechRule(), description="of speech: transcripts without words, or of marks like [noise] alone"
    )
    speech_rate: SpeechRateRule | None = Field(SpeechRateRule(), description="of speech: characters a second")
    words: WordsRule | None = Field(WordsRule(), description="number of words of each side")
    characters: CharactersRule | None = Field(CharactersRule(), description="number of characters of each side")
    tokens: TokensRule | None = Field(None, description="number of pieces of each side, after encoding")
    length_ratio: LengthRatioRule | None = Field(LengthRatioRule(), description="longer side over shorter side")
    longest_word: LongestWordRule | None = Field(LongestWordRule(), description="characters of the longest word")
    alphabetic: AlphabeticRule | None = Field(AlphabeticRule(), description="share of letters on each side")
    identical: IdenticalRule | None = Field(IdenticalRule(), description="reject rows whose sides are the same text")
    script: ScriptRule | None = Field(ScriptRule(), description="share of letters in the script of the side's language")
    markup: MarkupRule | None = Field(MarkupRule(), description="share of characters of markup and code on each side")
    repeated_characters: RepeatedCharactersRule | None = Field(
        RepeatedCharactersRule(), description="share of each side in runs of one character"
    )
    html: HtmlRule | None = Field(HtmlRule(), description="tags and entities of HTML")
    urls: UrlsRule | None = Field(UrlsRule(), description="share of each side in URLs and e-mail addresses")
    brackets: BracketsRule | None = Field(None, description="brackets without a partner on each side")
    terminal_punctuation: TerminalPunctuationRule | None = Field(
        None, description="a sentence's end on both sides or on none"
    )
    numbers: NumbersRule | None = Field(None, description="numbers that only one side has")
    phrases: PhrasesRule | None = Field(None, description="phrases that reject a row")
    repetition: RepetitionRule | None = Field(None, description="strings that repeat right after themselves")
    repeated_words: RepeatedWordsRule | None = Field(None, description="share of words that each side has said before")
    repeated_ngrams: RepeatedNgramsRule | None = Field(
        None, description="share of each side in its most frequent n-grams of words"
    )
    near_identical: NearIdenticalRule | None = Field(
        None, description="reject rows whose sides are nearly the same text"
    )
    language: LanguageRule | None = Field(
        None, description="identify the language of each side; slow, about 50,000 sentences/s"
    )

    own: tuple[OwnRule, ...] = Field((), description="rules of your own: functions that are asked row by row")

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        """`true` for a rule means its defaults, `false` that it is off."""
        return {True: {}, False: None}[value] if isinstance(value, bool) else value

    @pydantic.field_validator("own", mode="before")
    @classmethod
    def _none_of_them(cls, value: object) -> object:
        return () if value is None or value is False else value

    @pydantic.model_validator(mode="after")
    def _own_names(self) -> Self:
        taken = {*_ALWAYS, *type(self).model_fields}
        for rule in self.own:
            if rule.label in taken:
                raise ValueError(f"there are two rules {rule.label!r}: give one of your own another `name`")
            taken.add(rule.label)
        return self

    @pydantic.model_serializer(mode="wrap")
    def _as_ever(self, serialize: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is as it was before there was such a key, so that datasets from then still grow: `own` where
        there is none, and rules for what text does not have.
        """
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if not self._is_as_ever(name)}

    def _is_as_ever(self, name: str) -> bool:
        default = type(self).model_fields[name].default
        is_later = name == "own" or (isinstance(default, Rule) and default.needs)
        return bool(is_later) and getattr(self, name) == default

    def unwritten(self, measured: Collection[str]) -> dict[str, Any]:
        """Those of the rules for what is measured of a source that are not written, as they are what they always are;
        where they judge, they have to be told.
        """
        rules = ((name, rule) for name, rule in self if isinstance(rule, Rule) and self._is_as_ever(name))
        return {name: rule.model_dump(mode="json") for name, rule in rules if set(rule.needs) <= set(measured)}

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Name and rule of every rule of text that is on, in the order they are asked."""
        yield from _ALWAYS.items()
        yield from ((name, rule) for name, rule in self if isinstance(rule, Rule))
        yield from ((rule.label, rule) for rule in self.own)

    def piece_rules(self) -> Iterator[tuple[str, PieceRule]]:
        """Those that are asked of encoded rows."""
        yield from ((name, rule) for name, rule in self if isinstance(rule, PieceRule))


def only_empty() -> FiltersConfig:
    """The rules of given validation and test sets, of which nothing is measured: every row with text on both sides
    stays.
    """
    text = [name for name, field in FiltersConfig.model_fields.items() if not getattr(field.default, "needs", ())]
    return FiltersConfig(**dict.fromkeys(text))


def merge(base: FiltersConfig, overrides: Mapping[str, Any], where: str | None = None) -> FiltersConfig:
    """The rules of one corpus: those of all, and what it says differently.

    Args:
        base: The rules of all corpora.
        overrides: A rule's keys, which win over those of the base (over the defaults where the base has it off);
            `null` or `false` to switch it off; `true` to have it on, as the base has it or with its defaults.
        where: What an error names as its place.

    Raises:
        ConfigError: A key is unknown, a value does not fit.
    """
    values = base.model_dump()
    for name, override in overrides.items():
        own = values.get(name)
        if isinstance(override, Mapping):
            values[name] = {**(own or {}), **override}
        elif override is not True or own is None:
            values[name] = override
    return configuration.build(FiltersConfig, values, where=where)


def resolve(filters: FiltersConfig) -> FiltersConfig:
    """The same rules with what they take from elsewhere written out: then the configuration tells all that decides.

    Raises:
        StorageError: A file cannot be read.
        ConfigError: A function cannot be imported.
    """
    known = {name: rule.resolved() for name, rule in filters if isinstance(rule, Rule)}
    return filters.model_copy(update={**known, "own": tuple(rule.resolved() for rule in filters.own)})


def check(filters: FiltersConfig, sides: Sides, where: str | None = None) -> None:
    """Make sure, before any work, that the rules can judge a corpus.

    Raises:
        ConfigError: A rule lacks something, as one that identifies languages the code of a side's.
    """
    for _, rule in _asked(filters, sides):
        rule.check(sides, where)


def sift(records: Records, rows: Rows, filters: FiltersConfig) -> Iterator[Sifted]:
    """Ask the rules one after the other; each step's `kept` is what the next one sees, the last is what stays.

    Each row counts under the first rule it fails. Cheap rules are asked of rows already gone as well, so that what
    was measured for one rule serves the next; what they say of these rows is not used.

    Args:
        records: The rows, normalised.
        rows: The same as rules see them.
        filters: The rules.
    """
    alive = np.ones(len(records), np.bool_)
    for name, rule in _asked(filters, rows.sides):
        if len(records) < len(alive) and (rule.costly or len(records) < (1 - _RENEW_SHARE) * len(alive)):
            rows, alive = rows.of(records, alive), np.ones(len(records), np.bool_)
        measure = rule.measure(rows)
        failed = measure.failed.to_numpy(zero_copy_only=False) & alive
        if failed.any():
            described = _describe(rule, rows, measure, failed)
            sifted = reject(records, pa.array(failed[alive]), name, described, rule.threshold)
            records, alive = sifted.kept, alive & ~failed
            yield sifted
        else:
            yield Sifted(records, reject_nothing())


def judge_all(rows: Rows, filters: FiltersConfig) -> dict[str, Measure]:
    """What every rule says of every row, whatever the others say: for choosing thresholds by looking."""
    exactly = replace(rows, exact=True)
    return {name: rule.measure(exactly) for name, rule in _asked(filters, rows.sides)}


def _describe(rule: Rule, rows: Rows, measure: Measure, failed: Bools) -> pa.StringArray:
    """The values of the failed rows, exactly."""
    if rule.estimates:
        return rule.measure(rows.only(failed)).describe_failed()
    return measure.only(failed).describe_failed()


def _asked(filters: FiltersConfig, sides: Sides) -> Iterator[tuple[str, Rule]]:
    for name, rule in filters.rules():
        if rule.judges(sides):
            yield name, rule
