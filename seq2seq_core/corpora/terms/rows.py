"""The columns a reader found in consecutive rows in, readable rows and rows set aside out: the end of every reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.corpora.terms.alignments import parse_alignments
from seq2seq_core.records import Problem, Records, Sifted, set_aside

MISSING_FIELD, WRONG_TYPE, BAD_SCORE = "missing_field", "wrong_type", "bad_score"
Kind = Literal["text", "value", "number"]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


@dataclass(frozen=True)
class Shape:
    """What a row of a corpus is made of.

    Attributes:
        texts: 2 for source and target, 1 for a text alone, which is the target.
        scored: Whether a number follows the texts.
        aligned: Whether a text with pairs of words comes last.
        prompt_words: So many first words of a text alone are its source.
        values: The sides that are values of any type, in place of texts.
    """

    texts: int = 2
    scored: bool = False
    prompt_words: int = 0
    values: tuple[str, ...] = ()
    aligned: bool = False

    def kind_of(self, position: int) -> Kind:
        """What the column at a position is."""
        if position >= self.texts:
            return "number" if position < self.texts + self.scored else "text"
        side = ("source", "target")[position + 2 - self.texts]
        return "value" if side in self.values else "text"

    @property
    def columns(self) -> int:
        """How many columns a reader has to find."""
        return self.texts + self.scored + self.aligned

    def name_of(self, position: int) -> str:
        """What the text at a position is called where one of several cannot be read; nothing where it is alone."""
        if position >= self.texts:
            return "alignment"
        return "" if self.texts == 1 else ("source", "target")[position]

    def finish(self, first_line: int, columns: Sequence[pa.Array], problems: Sequence[Problem]) -> Sifted:
        """Put rows together.

        Args:
            first_line: Number of the first row, from 1.
            columns: The texts, null where they could not be read; the score, as text or numbers; the alignment.
            problems: What is wrong with rows; of several, the first counts.
        """
        *texts, target = columns[: self.texts]
        source = texts[0] if texts else empty_texts(len(target))
        lines = pa.array(np.arange(first_line, first_line + len(target), dtype=np.int64))
        score: pa.DoubleArray | None = None
        alignment: pa.ListArray | None = None
        if self.scored:
            score, more = parse_scores(columns[self.texts])
            problems = [*problems, *more]
        if self.aligned:
            alignment, more = parse_alignments(columns[self.texts + self.scored])
            problems = [*problems, *more]
        sifted = set_aside(Records(lines, source, target, score, alignment), problems)
        return _with_prompts(sifted, self.prompt_words) if self.prompt_words else sifted


def empty_texts(count: int) -> pa.StringArray:
    """A column of nothing but empty texts."""
    return pa.repeat(pa.scalar("", pa.string()), count)


def parse_scores(column: pa.Array) -> tuple[pa.DoubleArray, list[Problem]]:
    """Scores as float64; one that is absent or no finite number is null or not finite, and listed.

    Args:
        column: Text (string) or numbers of any type.
    """
    if pa.types.is_string(column.type):
        shown = pc.utf8_trim_whitespace(column)
        numbers = pc.fill_null(pc.match_substring_regex(shown, _NUMBER), False)
        scores = pc.if_else(numbers, shown, pa.scalar(None, pa.string())).cast(pa.float64())
    else:
        scores = column.cast(pa.float64(), safe=False)
    good = pc.fill_null(pc.is_finite(scores), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(~good)
    found = column.take(pa.array(rows)).to_pylist()
    return scores, [
        Problem(int(row), BAD_SCORE, "no score" if value is None else f"score {value!s:.100}", "a finite number")
        for row, value in zip(rows, found, strict=True)
    ]


def split_prompt(text: pa.StringArray, words: int) -> tuple[pa.StringArray, pa.StringArray]:
    """The first so many words, single spaces between them, and the rest; a shorter text has an empty rest.

    Words are separated by white space, as `text.strip().split(None, words)` does it.
    """
    parts = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(text), max_splits=words)
    source = pc.binary_join(pc.list_slice(parts, 0, words), " ")
    has_rest = pc.greater(pc.list_value_length(parts), words)
    lasts = parts.offsets.to_numpy()[1:] - 1
    return source, pc.if_else(has_rest, parts.values.take(pa.array(lasts)), "")


def _with_prompts(sifted: Sifted, words: int) -> Sifted:
    kept = sifted.kept
    if not len(kept):
        return sifted
    source, target = split_prompt(kept.target, words)
    return Sifted(Records(kept.lines, source, target, kept.score, kept.alignment), sifted.rejected)
