"""The rule that identifies the language of each side, and rejects rows in another than expected."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seq2seq_core.errors import ConfigError
from seq2seq_core.text.column import Bools, Floats, TextColumn
from seq2seq_core.text.rules.base import Measure, Rows, Rule, Sides
from seq2seq_core.text.rules.language_id import identifier
from seq2seq_core.text.rules.scripts import primary_language

_MAX_CHARACTERS = 1000
_ALSO = {  # what the model tells apart, and a corpus of this language may hold; or how the model calls it
    "zh": ("zh", "yue", "wuu"),
    "no": ("no", "nn"),
    "nb": ("no",),
    "sh": ("sr", "hr", "bs"),
    "fil": ("tl",),
    "iw": ("he",),
    "in": ("id",),
    "ckb": ("ku", "sdh"),
}


class LanguageRule(Rule):
    """The language of each side is the expected one, by py3langid (95% right at 31 characters, 99.6% from 60 on).

    A row fails where another language is more probable by the margin. Off by default for its cost, some 50,000
    sentences a second and core (one by one, py3langid identifies 11,000). Sides with few letters pass, as do sides
    whose language the corpus does not tell.
    """

    costly: ClassVar[bool] = True

    margin: float = Field(
        0.5, ge=0, le=1, description="probability of the best language less that of the expected one, at most"
    )
    minimum_letters: int = Field(20, ge=1, description="sides with fewer letters pass")

    def check(self, sides: Sides, where: str | None) -> None:
        """Every side there is has a language, and one that the model knows."""
        languages = {"target": sides.target_language, **({"source": sides.source_language} if sides.has_source else {})}
        for side, code in languages.items():
            if not expected_labels(code):
                raise ConfigError(
                    f"the language of the {side} cannot be identified",
                    where=where,
                    found=code,
                    expected="the code of a language that py3langid knows (en, de, zh, ...)",
                    advice="Tell the corpus's languages, or switch filters.language off.",
                )

    def measure(self, rows: Rows) -> Measure:
        failed = np.zeros(len(rows), np.bool_)
        values: dict[str, pa.Array] = {}
        for side in rows.each():
            judged = side.texts.letters >= self.minimum_letters
            expected = expected_labels(side.language)
            judged &= bool(expected)
            lead, words = self._compare(side.texts, judged, expected)
            failed |= lead > self.margin
            values[side.name] = words
        return Measure(pa.array(failed), values)

    def _compare(self, texts: TextColumn, judged: Bools, expected: tuple[str, ...]) -> tuple[Floats, pa.StringArray]:
        """How far the best language is ahead of the expected one, and in words."""
        lead, words = np.zeros(len(texts)), pa.array(["not judged"] * len(texts), pa.string())
        if not judged.any():
            return lead, words
        mask = pa.array(judged)
        model = identifier()
        chances = model.probabilities(pc.utf8_slice_codeunits(texts.column.filter(mask), 0, _MAX_CHARACTERS))
        of_expected = chances[:, [model.labels.index(label) for label in expected]].sum(axis=1)
        best = chances.argmax(axis=1)
        of_best = chances[np.arange(len(best)), best]
        is_expected = np.isin(best, [model.labels.index(label) for label in expected])
        lead[judged] = np.where(is_expected, 0.0, of_best - of_expected)
        shown = [
            pa.array(np.round(chance.astype(np.float64), 2)).cast(pa.string()) for chance in (of_best, of_expected)
        ]
        names = pa.array(model.labels, pa.string()).take(pa.array(best))
        described = pc.binary_join_element_wise(names, " ", shown[0], " (expected ", shown[1], ")", "")
        return lead, pc.replace_with_mask(words, mask, described)

    @property
    def threshold(self) -> str:
        return f"at most {self.margin:g} behind, from {self.minimum_letters} letters on"


def expected_labels(language: str | None) -> tuple[str, ...]:
    """The languages of the model that count as an expected one (`pt-BR` is `pt`); none where it knows none."""
    if language is None:
        return ()
    code = primary_language(language)
    return tuple(label for label in _ALSO.get(code, (code,)) if label in identifier().labels)
