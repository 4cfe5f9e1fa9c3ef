"""Rules about what comes from web pages and not from language: addresses, tags and entities, brackets left open."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from seq2seq_core.text.column import Bools, Floats, Ints, TextColumn, share
from seq2seq_core.text.rules.base import Measure, Rows, Rule, Side, SideRule, above

# Every repetition is bounded or cannot begin twice at one place, so that no text takes quadratic time.
_ADDRESS = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,14}://|www\.)\S+|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]*)?/?>|<!--")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_BRACKETS = ("()", "[]", "{}")
_WIDE_BRACKETS = (
    "\uff08\uff09",
    "\uff3b\uff3d",
    "\uff5b\uff5d",
    "\u300c\u300d",
    "\u300e\u300f",
    "\u3010\u3011",
    "\u3008\u3009",
    "\u300a\u300b",
    "\u3014\u3015",
)


class UrlsRule(SideRule):
    """Of the characters of each side, few belong to URLs and e-mail addresses.

    bicleaner-hardrules drops a segment for the number of characters in its URLs; a share spares the long sentence
    that names one.
    """

    maximum: float = Field(0.5, ge=0, le=1, description="share of the visible characters in addresses, at most")

    def value(self, side: Side) -> Floats:
        found = side.texts.measure_rows(_may_hold_address(side.texts), _address_characters)
        return share(found, side.texts.visible)

    def fails(self, value: Floats) -> Bools:
        return above(value, self.maximum)

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g}"


def _may_hold_address(texts: TextColumn) -> Bools:
    """The rows with `@`, `://` or `www.`."""
    data, colons, dots = texts.data, texts.find_signs(":"), texts.find_signs(".")
    colons = colons[colons < len(data) - 2]
    colons = colons[(data[colons + 1] == ord("/")) & (data[colons + 2] == ord("/"))]
    dots = dots[dots >= 3]
    for i in (1, 2, 3):
        dots = dots[(data[dots - i] | 0x20) == ord("w")]
    return texts.has_any(texts.find_signs("@")) | texts.has_any(colons) | texts.has_any(dots)


def _address_characters(text: str) -> int:
    return sum(match.end() - match.start() for match in _ADDRESS.finditer(text))


class HtmlRule(Rule):
    """Nothing is left of HTML: no tags (OpusFilter drops what has any), and hardly an entity.

    One entity is let through: captions and titles that are good otherwise hold `&amp;`.
    """

    maximum: int = Field(0, ge=0, description="tags and comments a side may have, at most")
    maximum_entities: int = Field(1, ge=0, description="entities (`&nbsp;`) a side may have, at most")

    def measure(self, rows: Rows) -> Measure:
        failed = np.zeros(len(rows), np.bool_)
        values: dict[str, Ints] = {}
        for side in rows.each():
            tags, entities = _count(side.texts, "<", _TAG), _count(side.texts, "&", _ENTITY)
            failed |= (tags > self.maximum) | (entities > self.maximum_entities)
            values |= {f"{side.name} tags": tags, f"{side.name} entities": entities}
        return Measure(pa.array(failed), values)

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum} tags, {self.maximum_entities} entities"


def _count(texts: TextColumn, sign: str, pattern: re.Pattern[str]) -> Ints:
    """How often a pattern that begins with some sign stands in each row."""
    suspects = texts.has_any(texts.find_signs(sign))
    return texts.measure_rows(suspects, lambda text: len(pattern.findall(text))).astype(np.int64)


class BracketsRule(SideRule):
    """Brackets that open close again: bicleaner-hardrules drops what has unbalanced ones.

    Measured: the brackets without a partner, as the difference in number a kind. A list's `a)` and a smiley count.
    """

    maximum: int = Field(0, ge=0, description="brackets without a partner, at most")

    def value(self, side: Side) -> Ints:
        texts = side.texts
        alone = np.zeros(len(texts), np.int64)
        for pair in _BRACKETS:
            opening, closing = (texts.count_at(texts.find_signs(bracket)) for bracket in pair)
            alone += np.abs(opening - closing)
        points = texts.wide_points
        for pair in _WIDE_BRACKETS if len(points) else ():
            opening, closing = (texts.count_at(texts.wide_at[points == ord(bracket)]) for bracket in pair)
            alone += np.abs(opening - closing)
        return alone

    def fails(self, value: npt.NDArray[np.int64]) -> Bools:
        result: Bools = value > self.maximum
        return result

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum} without a partner"
