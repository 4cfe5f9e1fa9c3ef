"""Summaries and one or more references for each in, ROUGE out.

Lin, "ROUGE: a package for automatic evaluation of summaries" (2004), as Google's `rouge-score` computes it: F1 of
unigrams, of bigrams, of the longest common subsequence, and of those of all sentences (Lsum). Of several references the
best counts for each of them.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rouge_score import rouge_scorer

from seq2seq_core import storage
from seq2seq_core.errors import InputError
from seq2seq_core.files.compression import without_codec
from seq2seq_core.files.fields import lookup, parts_of
from seq2seq_core.files.segments import read_segments
from seq2seq_core.listing import expand
from seq2seq_core.text.languages import short_code, uses_spaces
from seq2seq_core.text.sentences import split_sentences

_ROWS: Final = ".jsonl"
_TYPES: Final = ("rouge1", "rouge2", "rougeL", "rougeLsum")
_KEYS: Final = ("rouge1", "rouge2", "rouge_l", "rouge_lsum")
_ENGLISH: Final = "en"
_WORD = re.compile(r"\w+")
_LETTER = re.compile(r"\w")


@dataclass(frozen=True)
class SummaryScores:
    """Scores of a whole corpus, the means over its summaries, in points of 100.

    Attributes:
        summaries: How many were compared.
        rouge1, rouge2, rouge_l, rouge_lsum: F1.
        words: Mean number of words of a summary, and of its references.
        signature: What the scores were computed with, without which they cannot be compared.
    """

    summaries: int
    rouge1: float
    rouge2: float
    rouge_l: float
    rouge_lsum: float
    words: tuple[float, float]
    signature: str

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return dataclasses.asdict(self)

    def table(self) -> str:
        """Some lines for the terminal."""
        rows = [f"{name:<10} {getattr(self, key):6.2f}" for name, key in zip(_TYPES, _KEYS, strict=True)]
        rows[0] += f"  {self.signature}"
        ours, theirs = self.words
        return "\n".join([*rows, f"words      {ours:6.1f}  a summary of {self.summaries:,}; {theirs:.1f} a reference"])


def read_texts(patterns: Sequence[str], field: str) -> list[list[str]]:
    """The texts of each record: of .jsonl files those of a field, one or a list; of others the line.

    Raises:
        StorageError: A pattern names no file.
        InputError: A row is no object, or has no text there; null is one that was not made, and counts as empty.
    """
    return [texts for pattern in patterns for url in expand(pattern) for texts in _of_file(url, field)]


def score(summaries: Sequence[str], references: Sequence[Sequence[str]], language: str = _ENGLISH) -> SummaryScores:
    """Score a corpus; English words are compared by their stems, those of other languages as they are.

    Raises:
        InputError: There are not as many summaries as references, or none at all.
    """
    if len(summaries) != len(references) or not summaries:
        raise InputError(
            "summaries and references do not match",
            found=f"{len(summaries)} summaries",
            expected=f"{len(references)}, one a reference" if references else "one or more",
        )
    is_english = short_code(language) == _ENGLISH
    words = _Words(spaced=uses_spaces(language) is not False)
    scorer = rouge_scorer.RougeScorer(_TYPES, use_stemmer=is_english, tokenizer=None if is_english else words)
    found = [
        scorer.score_multi([_by_sentence(one, language) for one in several], _by_sentence(summary, language))
        for summary, several in zip(summaries, references, strict=True)
    ]
    means = [100 * sum(one[name].fmeasure for one in found) / len(found) for name in _TYPES]
    version = importlib.metadata.version("rouge-score")
    flat = [one for several in references for one in several]
    return SummaryScores(
        summaries=len(summaries),
        **dict(zip(_KEYS, means, strict=True)),
        words=(_mean(words, summaries), _mean(words, flat)),
        signature=f"F1|lang:{language}|stems:{'yes' if is_english else 'no'}|refs:best|rouge-score:{version}",
    )


class _Words:
    """Cuts texts into words of letters and digits of any script; without spaces between words, into letters."""

    def __init__(self, *, spaced: bool) -> None:
        self._pattern = _WORD if spaced else _LETTER

    def tokenize(self, text: str) -> list[str]:
        return self._pattern.findall(text.lower())


def _mean(words: _Words, texts: Sequence[str]) -> float:
    return sum(len(words.tokenize(text)) for text in texts) / len(texts)


def _by_sentence(text: str, language: str) -> str:
    return "\n".join(sentence.strip() for line in text.splitlines() for sentence in split_sentences(line, language))


def _of_file(url: str, field: str) -> list[list[str]]:
    lines = read_segments([url])
    if posixpath.splitext(without_codec(url))[1].lower() != _ROWS:
        return [[line] for line in lines]
    return [_texts(line, field, f"{storage.redact(url)}:{n}") for n, line in enumerate(lines, start=1) if line.strip()]


def _texts(line: str, field: str, where: str) -> list[str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError("the row is not JSON", where=where, found=error) from None
    found = lookup(row, parts_of(field)) if isinstance(row, dict) else row
    texts = [found or ""] if isinstance(found, str | None) else found
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(
            f"the row has no text in the field {field!r}",
            where=where,
            found=type(found).__name__,
            expected="a string, or a list of some",
            advice="Name the fields (--summary_field, --reference_field).",
        )
    return texts
