"""Rules about speech and its transcript: how long, how silent, how clipped it is, how fast, and whether words are said.

They need measures of a source of sound, so that corpora of text are never judged by them.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core.text.octets import Floats
from seq2seq_core.text.rules.base import Measure, Rows, Rule, above, below

_MARK = r"\[[^\]]*\]|<[^>]*>|\([^)]*\)|\{[^}]*\}|\*[^*]*\*"
_SAID = r"[\p{L}\p{N}]"


class _RangeRule(Rule):
    """A number lies within bounds."""

    minimum: float = Field(0.0, ge=0, le=1e6, description="least")
    maximum: float = Field(1.0, ge=0, le=1e6, description="most")

    @pydantic.model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self

    def judged(self, name: str, value: Floats) -> Measure:
        """The verdict on the values."""
        return Measure(pa.array(above(value, self.maximum) | below(value, self.minimum)), {name: value})

    @property
    def threshold(self) -> str:
        """What passes, in words."""
        return f"{self.minimum:g} to {self.maximum:g}"


class SecondsRule(_RangeRule):
    """An utterance is neither too short nor too long.

    0.1 to 40 seconds: a word is hardly said in less, and longer ones cost attention more than they teach.
    """

    needs: ClassVar[tuple[str, ...]] = ("seconds",)

    minimum: float = Field(0.1, ge=0, le=1e6, description="fewest seconds")
    maximum: float = Field(40.0, ge=0, le=1e6, description="most seconds")

    def measure(self, rows: Rows) -> Measure:
        return self.judged("seconds", rows.measures["seconds"])

    @property
    def threshold(self) -> str:
        return f"{super().threshold} seconds"


class SpeechRateRule(_RangeRule):
    """As many characters are written as can be said in that time: else the transcript is of something else.

    English is read at some 15 characters a second, and Chinese at 4.
    """

    needs: ClassVar[tuple[str, ...]] = ("seconds",)

    minimum: float = Field(0.5, ge=0, le=1e6, description="fewest characters a second")
    maximum: float = Field(35.0, ge=0, le=1e6, description="most characters a second")

    def measure(self, rows: Rows) -> Measure:
        rate = rows.target.characters / np.maximum(rows.measures["seconds"], 1e-3)
        return self.judged("characters a second", rate)

    @property
    def threshold(self) -> str:
        return f"{super().threshold} characters a second"


class _ShareRule(Rule):
    """A share of the utterance is at most so large."""

    maximum: float = Field(1.0, ge=0, le=1, description="largest share")

    def measure(self, rows: Rows) -> Measure:
        """The measure that it needs."""
        (name,) = self.needs
        share = rows.measures[name]
        return Measure(pa.array(above(share, self.maximum)), {name: share})

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g}"


class SilenceRule(_ShareRule):
    """Something is to be heard: not all of the utterance is silent (below -60 dBFS, or 35 dB below its loud parts)."""

    needs: ClassVar[tuple[str, ...]] = ("silent",)

    maximum: float = Field(0.9, ge=0, le=1, description="largest share of frames that are silent")


class ClippingRule(_ShareRule):
    """Few samples stand at full scale, where a recording that is too loud is cut off."""

    needs: ClassVar[tuple[str, ...]] = ("clipped",)

    maximum: float = Field(0.01, ge=0, le=1, description="largest share of samples at full scale")


class NonSpeechRule(Rule):
    """A transcript has words: not only marks in brackets or asterisks (`[noise]`, `<unk>`, `(music)`) or signs."""

    needs: ClassVar[tuple[str, ...]] = ("seconds",)

    def measure(self, rows: Rows) -> Measure:
        text = pc.fill_null(rows.target.column, "")
        said = pc.match_substring_regex(pc.replace_substring_regex(text, _MARK, " "), _SAID)
        return Measure(pc.invert(said), {"transcript": pc.if_else(said, "words", "no words")})

    @property
    def threshold(self) -> str:
        return "words, beside marks like [noise]"
