"""Transcripts and references in, error rates of words and characters with their signatures out, by sums of counts.

WER is substitutions, deletions and insertions for each word of the references; CER is the same of characters. Rates of
utterances are never averaged: counts are added up, over utterances and over processes, and divided once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.errors import ConfigError, InputError
from seq2seq_core.metrics.edits import (
    DELETIONS,
    HITS,
    INSERTIONS,
    SUBSTITUTIONS,
    Confusion,
    confusions,
    count_characters,
    count_words,
)
from seq2seq_core.software import versions
from seq2seq_core.text import transcripts
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig, normalize

Norm = Literal["standard", "none"]

_VERSION = 1  # of the form `standard`: another one may give other scores

Sums = npt.NDArray[np.int64]


class Errors(NamedTuple):
    """How words or characters of the references were recognised; insertions are none of theirs."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def units(self) -> int:
        """Those of the references."""
        return self.hits + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors for each hundred units; infinite where there are none, but insertions."""
        errors = self.substitutions + self.deletions + self.insertions
        return 100 * errors / self.units if self.units else math.inf if errors else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values; the rate is null where it is infinite."""
        return {**self._asdict(), "units": self.units, "rate": self.rate if math.isfinite(self.rate) else None}


class RecognitionScores(NamedTuple):
    """Scores of a whole corpus, or of a part of it.

    Attributes:
        utterances: Pairs compared; `wrong` of them have an error in some word.
        words, characters: What was made of them.
    """

    utterances: int
    wrong: int
    words: Errors
    characters: Errors

    @property
    def wer(self) -> float:
        """Word error rate in points of 100; it may be more than 100."""
        return self.words.rate

    @property
    def cer(self) -> float:
        """Character error rate in points of 100; it may be more than 100."""
        return self.characters.rate

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        units = {"words": self.words.to_json(), "characters": self.characters.to_json()}
        rates = {"wer": units["words"]["rate"], "cer": units["characters"]["rate"]}
        return {"utterances": self.utterances, "wrong": self.wrong, **rates, **units}


class Pairs(NamedTuple):
    """Texts in the form in which they are compared, in the same order."""

    hypotheses: list[str]
    references: list[str]


class RecognitionMetric:
    """Scores that come from sums over utterances, so that parts of a corpus can be counted apart.

    Args:
        language: That of the references, which decides how they are normalised and what a word is; `und` for any. In
            languages without spaces each character is a word of its own.
        norm: `standard` compares transcripts in the form of `text.transcripts`; `none` leaves all but white space.

    Raises:
        ConfigError: There is no such language.
    """

    def __init__(self, language: str = transcripts.ANY_LANGUAGE, norm: Norm = "standard") -> None:
        try:
            self._language = transcripts.check_language(language)
        except ValueError as error:
            raise ConfigError("unknown language of transcripts", found=language, expected=str(error)) from None
        self._norm = norm
        form = language if norm == "standard" else None
        self._config = NormalizeConfig(unicode="nfkc" if form else "none", mojibake=False, transcript=form)

    @property
    def main(self) -> Literal["wer", "cer"]:
        """The rate that such a language is usually judged by."""
        return "cer" if transcripts.is_unspaced(self._language) else "wer"

    def signature(self, rate: str) -> str:
        """What a score has to be told with, as sacreBLEU has it: `wer|norm:standard.1|lang:en|...`."""
        norm = f"{self._norm}.{_VERSION}" if self._norm == "standard" else self._norm
        software = versions(("jiwer", "seq2seq"))
        parts = [f"norm:{norm}", f"lang:{self._language}", f"jiwer:{software.get('jiwer', 'none')}"]
        return "|".join([rate, *parts, f"version:{software.get('seq2seq', 'none')}"])

    def pairs(self, hypotheses: Sequence[str], references: Sequence[str]) -> Pairs:
        """The texts as they are compared.

        Raises:
            InputError: There are not as many hypotheses as references.
        """
        if len(hypotheses) != len(references):
            raise InputError(
                "hypotheses and references do not match",
                found=f"{len(hypotheses)} hypotheses",
                expected=f"{len(references)}, one a reference",
            )
        return Pairs(self._normalized(hypotheses), self._normalized(references))

    def counts(self, pairs: Pairs) -> Sums:
        """What each pair adds to the sums: int64 [n, 10]."""
        words = count_words(*(self._words(texts) for texts in pairs))
        wrong = words[:, [SUBSTITUTIONS, DELETIONS, INSERTIONS]].any(axis=1)
        ones = np.ones(len(words), np.int64)
        return np.column_stack([ones, wrong, words, count_characters(*pairs)]).astype(np.int64)

    def sums(self, hypotheses: Sequence[str], references: Sequence[str]) -> Sums:
        """Counts of a part of a corpus, possibly empty; those of the whole are the sum over its parts: int64 [10]."""
        total: Sums = self.counts(self.pairs(hypotheses, references)).sum(axis=0)
        return total

    def scores(self, sums: Sums) -> RecognitionScores:
        """The scores of a corpus from its sums.

        Raises:
            InputError: The corpus is empty.
        """
        utterances, wrong, *counts = sums.tolist()
        if not utterances:
            raise InputError("there is nothing to score", found="no utterances")
        return RecognitionScores(utterances, wrong, _errors(counts[:4]), _errors(counts[4:]))

    def measured(self, sums: Sums) -> dict[str, float]:
        """The rates of a corpus by name."""
        scores = self.scores(sums)
        return {"wer": scores.wer, "cer": scores.cer}

    def confusions(self, pairs: Pairs, most: int) -> list[Confusion]:
        """The commonest errors of words."""
        return confusions(self._words(pairs.hypotheses), self._words(pairs.references), most)

    def words(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of each text, as they are compared."""
        return [text.split() for text in self._words(self._normalized(texts))]

    def count_words(self, references: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many words each text has that is in the form in which it is compared: int64 [n]."""
        return np.fromiter((len(text.split()) for text in self._words(references)), np.int64, len(references))

    def _normalized(self, texts: Sequence[str]) -> list[str]:
        found: list[str] = normalize(TextColumn(pa.array(texts, pa.string())), self._config).column.to_pylist()
        return found

    def _words(self, texts: Sequence[str]) -> list[str]:
        apart = transcripts.words_apart(pa.array(texts, pa.string()), self._language)
        found: list[str] = apart.to_pylist()
        return found


def _errors(counts: Sequence[int]) -> Errors:
    return Errors(counts[HITS], counts[SUBSTITUTIONS], counts[DELETIONS], counts[INSERTIONS])
