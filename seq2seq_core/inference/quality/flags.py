"""What makes an answer doubtful, as a configuration; answers in, the same with their flags, or better ones, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from seq2seq_core.config import Config, Location
from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.table import AnyEngine
from seq2seq_core.inference.quality.measures import Measures, measure
from seq2seq_core.inference.quality.terms import Answer, Answers, Asked
from seq2seq_core.text.languages import is_language, short_code


class SecondConfig(Config):
    """How doubtful segments are translated once more."""

    search: SearchConfig = Field(SearchConfig(), description="how outputs are searched")
    model: Location | None = Field(None, description="another model folder; null: the same model")
    engine: AnyEngine | None = Field(None, description="what runs the other model; null: what runs the first")


class FlagConfig(Config):
    """Which segments are doubtful. A rule that is null, or false, flags nothing."""

    min_score: float | None = Field(None, ge=-1e6, le=0, description="those whose model score is lower")
    min_length_ratio: float | None = Field(
        None, ge=0, le=1e6, description="those with fewer characters for each one of the source"
    )
    max_length_ratio: float | None = Field(None, gt=0, le=1e6, description="those with more")
    max_repetition: float | None = Field(
        None, ge=0, le=1, description="those of which a larger share stood in them before"
    )
    max_copied: float | None = Field(None, ge=0, le=1, description="those of which a larger share stands in the source")
    language: str | None = Field(
        None, description="those in another language than this one, where it can be told (ISO 639)"
    )
    truncated: bool = Field(False, description="those that the length limit cut")
    looping: bool = Field(False, description="those that repeat themselves where the source does not")
    second: SecondConfig | None = Field(
        None, description="translate flagged segments once more, and take what has fewer flags; null: mark them alone"
    )

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str | None) -> str | None:
        if language is not None and not is_language(language):
            raise ValueError(f"no language of ISO 639 has the code {language!r}")
        return language

    @property
    def is_asked_for(self) -> bool:
        """Whether any rule flags something."""
        return bool(self.rules)

    @property
    def rules(self) -> dict[str, Any]:
        """The rules that flag something, by their names."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "second"}
        return {name: value for name, value in values.items() if value is not None and value is not False}


class Revision:
    """See `Revises`."""

    def __init__(self, config: FlagConfig, second: Answers | None) -> None:
        """`second` translates flagged segments once more; None: nobody does."""
        self._config, self._second = config, second

    def revised(self, answers: dict[Asked, Answer]) -> dict[Asked, Answer]:
        """See `Revises`. Translations that were given are not looked at, nor what failed."""
        flagged = {asked: answer for asked, answer in self._flagged(answers).items() if answer.flags}
        if self._second is not None and flagged:
            found = {
                asked: replace(answer, is_second=True) for asked, answer in self._second.answers(list(flagged)).items()
            }
            for asked, answer in self._flagged(found).items():
                if len(answer.flags) < len(flagged[asked].flags):
                    flagged[asked] = answer
        return answers | flagged

    def _flagged(self, answers: dict[Asked, Answer]) -> dict[Asked, Answer]:
        """Those that a model made, with their flags."""
        made = {asked: answer for asked, answer in answers.items() if answer.hypotheses}
        if not made:
            return {}
        found = measure([asked.text for asked in made], [answer.texts[0] for answer in made.values()])
        failed = [_RULES[name](found, list(made.values()), value) for name, value in self._config.rules.items()]
        names = list(self._config.rules)
        flags = (tuple(name for name, bad in zip(names, row, strict=True) if bad) for row in zip(*failed, strict=True))
        return {asked: replace(answer, flags=row) for (asked, answer), row in zip(made.items(), flags, strict=True)}


def _of(values: np.ndarray[Any, Any]) -> list[bool]:
    plain: list[bool] = values.tolist()
    return plain


_RULES: dict[str, Callable[[Measures, list[Answer], Any], list[bool]]] = {
    "min_score": lambda _, answers, value: [answer.score is not None and answer.score < value for answer in answers],
    "min_length_ratio": lambda found, _, value: _of(found.length_ratio < value),
    "max_length_ratio": lambda found, _, value: _of(found.length_ratio > value),
    "max_repetition": lambda found, _, value: _of(found.repetition > value),
    "max_copied": lambda found, _, value: _of(found.copied > value),
    "language": lambda found, _, value: [label not in (None, short_code(value)) for label in found.language],
    "truncated": lambda _found, answers, _value: [not answer.finished for answer in answers],
    "looping": lambda _found, answers, _value: [answer.looping for answer in answers],
}
