"""Rules about the characters of each side: letters at all, letters of the right script, characters of markup."""

from __future__ import annotations

import numpy as np
import pydantic
from pydantic import Field

from seq2seq_core.text import unicode
from seq2seq_core.text.column import Bools, Floats, share
from seq2seq_core.text.rules.base import Side, SideRule, above, below
from seq2seq_core.text.rules.scripts import scripts_of

_MARKUP = "#*+<=>@[\\]^_`{|}~"


class AlphabeticRule(SideRule):
    """Of the characters of each side that are not white space, enough are letters.

    OpusFilter has 0.75 at least, OpusCleaner 0.5, bicleaner-hardrules 0.1; the default lets `in 1990` and `12 June
    2010` through.
    """

    minimum: float = Field(0.3, ge=0, le=1, description="share of letters in the visible characters, at least")

    def value(self, side: Side) -> Floats:
        return share(side.texts.letters, side.texts.visible, empty=1.0)

    def fails(self, value: Floats) -> Bools:
        return below(value, self.minimum)

    @property
    def threshold(self) -> str:
        return f"at least {self.minimum:g}"


class ScriptRule(SideRule):
    """Of the letters of each side, enough belong to the scripts of its language (0.5: OpusCleaner's limit).

    Letters that all scripts share (as the Japanese sign for a long vowel) do not count. A side whose scripts are
    neither given nor known from its language passes, as does one without letters.
    """

    minimum: float = Field(0.5, ge=0, le=1, description="share of letters of the right scripts, at least")
    source: tuple[str, ...] = Field(
        (), description="Unicode scripts of the source ([Han], [Latin, Cyrillic]); default: those of its language"
    )
    target: tuple[str, ...] = Field((), description="Unicode scripts of the target; default: those of its language")

    @pydantic.field_validator("source", "target")
    @classmethod
    def _known(cls, scripts: tuple[str, ...]) -> tuple[str, ...]:
        unknown = next((name for name in scripts if not unicode.is_script(name)), None)
        if unknown is not None:
            raise ValueError(f"{unknown!r} is not one of Unicode's scripts (Latin, Cyrillic, Han, Devanagari, ...)")
        return scripts

    def value(self, side: Side) -> Floats:
        given = self.source if side.name == "source" else self.target
        scripts = given or scripts_of(side.language)
        if not scripts:
            return np.ones(len(side.texts))
        in_ascii = side.texts.count(side.texts.ascii_letters)
        letters = in_ascii + side.texts.count_wide(unicode.script_letters())
        expected = side.texts.count_wide(unicode.script_letters(scripts))
        return share(expected + in_ascii if "Latin" in scripts else expected, letters, empty=1.0)

    def fails(self, value: Floats) -> Bools:
        return below(value, self.minimum)

    @property
    def threshold(self) -> str:
        return f"at least {self.minimum:g} in the script of the side"


class MarkupRule(SideRule):
    r"""Of the characters of each side, few belong to markup and code: `# * + < = > @ [ \ ] ^ _ { | } ~` and the like.

    Symbols beyond ASCII (arrows, boxes, pictographs) count too. Gopher allows one symbol for ten words; a segment is
    shorter than a document, so that the default is looser.
    """

    maximum: float = Field(0.2, ge=0, le=1, description="share of such characters in the visible ones, at most")

    def value(self, side: Side) -> Floats:
        found = side.texts.count_at(side.texts.find_signs(_MARKUP)) + side.texts.count_wide(
            unicode.members(unicode.SYMBOL)
        )
        return share(found, side.texts.visible)

    def fails(self, value: Floats) -> Bools:
        return above(value, self.maximum)

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g}"
