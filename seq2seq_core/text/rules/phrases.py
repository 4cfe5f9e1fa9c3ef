"""A list of phrases in, a rule out that rejects the rows which hold one."""

from __future__ import annotations

import functools
import re
from typing import Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.config import Location
from seq2seq_core.files.segments import read_segments
from seq2seq_core.text import unicode
from seq2seq_core.text.rules.base import Measure, Rows, Rule

_AT_ONCE = 500  # phrases in one expression: RE2 bounds the memory of each
_BEFORE = rf"(?:^|[^{unicode.LETTER}\p{{N}}_])"
_AFTER = rf"(?:$|[^{unicode.LETTER}\p{{N}}_])"


class PhrasesRule(Rule):
    """No side holds one of these phrases (C4's list of words and OpusCleaner's lists of phrases are used so)."""

    phrases: tuple[str, ...] = Field((), description="phrases that reject a row")
    file: Location | None = Field(
        None, description="URL of a file with more of them, one a line; blank lines are skipped"
    )
    ignore_case: bool = Field(True, description="upper and lower case are the same")
    whole_words: bool = Field(True, description="not inside a longer word (in scripts that put spaces between words)")
    side: Literal["both", "source", "target"] = Field("both", description="where to look")

    @pydantic.model_validator(mode="after")
    def _has_phrases(self) -> Self:
        if not self.file and not any(phrase.strip() for phrase in self.phrases):
            raise ValueError("the rule needs `phrases`, or a `file` of them")
        return self

    def measure(self, rows: Rows) -> Measure:
        failed = np.zeros(len(rows), np.bool_)
        values: dict[str, pa.Array] = {}
        for side in rows.each():
            if self.side in ("both", side.name):
                found = self.find(side.texts.column)
                failed |= found.is_valid().to_numpy(zero_copy_only=False)
                values[side.name] = pc.fill_null(found, "none")
        return Measure(pa.array(failed), values)

    def find(self, column: pa.StringArray) -> pa.StringArray:
        """A phrase that each text holds, as it stands there; null where it holds none."""
        result = pa.nulls(len(column), pa.string())
        for pattern in _patterns(self.all_phrases(), self.whole_words):
            hit = pc.match_substring_regex(column, pattern, ignore_case=self.ignore_case)
            if pc.any(hit).as_py():
                named = f"(?i){pattern}" if self.ignore_case else pattern
                phrases = pc.struct_field(pc.extract_regex(column.filter(hit), named), "phrase")
                result = pc.coalesce(result, pc.replace_with_mask(pa.nulls(len(column), pa.string()), hit, phrases))
        return result

    def all_phrases(self) -> tuple[str, ...]:
        """Those given and those of the file, each once.

        Raises:
            StorageError, InputError: The file cannot be read.
        """
        read = _read(self.file) if self.file else ()
        return tuple(dict.fromkeys(phrase.strip() for phrase in (*self.phrases, *read) if phrase.strip()))

    def resolved(self) -> PhrasesRule:
        """The same rule with the phrases of its file written out, so that it says all there is to know."""
        return self.model_copy(update={"phrases": self.all_phrases(), "file": None})

    @property
    def threshold(self) -> str:
        return f"none of {len(self.all_phrases())} phrases"


@functools.lru_cache(maxsize=8)
def _read(url: str) -> tuple[str, ...]:
    return tuple(read_segments([url]))


@functools.lru_cache(maxsize=8)
def _patterns(phrases: tuple[str, ...], whole_words: bool) -> tuple[str, ...]:
    """Expressions that match any of the phrases, some hundreds each, longer phrases first.

    Where whole words are asked for, a phrase that begins (or ends) with a letter does so at the edge of a word.
    """
    groups: dict[tuple[bool, bool], list[str]] = {}
    for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase)):
        edges = (whole_words and _is_of_word(phrase[0]), whole_words and _is_of_word(phrase[-1]))
        groups.setdefault(edges, []).append(re.escape(phrase))
    return tuple(
        f"{_BEFORE if before else ''}(?P<phrase>{'|'.join(quoted[i : i + _AT_ONCE])}){_AFTER if after else ''}"
        for (before, after), quoted in sorted(groups.items())
        for i in range(0, len(quoted), _AT_ONCE)
    )


def _is_of_word(character: str) -> bool:
    """Whether it belongs to a word that has edges: a letter or digit, of a script with spaces between words."""
    return character.isalnum() and not unicode.members(unicode.UNSPACED)[ord(character)]
