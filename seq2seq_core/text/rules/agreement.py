"""Rules about what the sides say to each other: the same text, nearly the same, other numbers, another ending."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seq2seq_core.text import unicode
from seq2seq_core.text.column import Bools, Ints, TextColumn, text_rows
from seq2seq_core.text.rules.base import Measure, Rows, Rule, above


class IdenticalRule(Rule):
    """The two sides differ, in more than case and punctuation.

    bicleaner-hardrules drops what is the same, the same without punctuation, and the same without digits (this last
    one is off here: `page 7` and `page 8` differ).
    """

    compares: ClassVar[bool] = True

    ignore_case: bool = Field(True, description="the same in lower case is the same")
    ignore_punctuation: bool = Field(True, description="the same but for what is neither letter nor digit is the same")
    ignore_digits: bool = Field(False, description="the same but for digits is the same")

    def measure(self, rows: Rows) -> Measure:
        same = pc.equal(rows.source.column, rows.target.column)
        alike = same.to_numpy(zero_copy_only=False).copy()
        # Whatever is ignored, as many letters stay: the lower case of a letter is one letter.
        suspects = (rows.source.letters == rows.target.letters) & (rows.source.letters > 0) & ~alike
        if suspects.any():
            alike[suspects] = pc.equal(*(self._fold(side.only(suspects)) for side in (rows.source, rows.target)))
        values = pc.if_else(same, "identical", pc.if_else(pa.array(alike), "alike", "different"))
        return Measure(pa.array(alike), {"sides": values})

    def _fold(self, texts: TextColumn) -> pa.LargeStringArray:
        """Each text without what is ignored."""
        texts = TextColumn(pc.utf8_lower(texts.column)) if self.ignore_case else texts
        numbers = texts.ascii_digits.copy()
        texts.mark_wide(numbers, texts.find_wide(unicode.members(unicode.NUMBER)))
        kept = np.ones(len(texts.data), np.bool_)
        if self.ignore_punctuation:
            kept = texts.ascii_letters | numbers
            texts.mark_wide(kept, texts.find_wide(unicode.members(unicode.LETTER)))
        if self.ignore_digits:
            kept &= ~numbers
        offsets = np.concatenate([[0], np.cumsum(texts.count(kept))])
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(texts.data[kept])]
        return pa.LargeStringArray.from_buffers(len(texts), buffers[1], buffers[2])

    @property
    def threshold(self) -> str:
        ignored = {"case": self.ignore_case, "punctuation": self.ignore_punctuation, "digits": self.ignore_digits}
        names = [name for name, is_ignored in ignored.items() if is_ignored]
        return f"sides differ{' in more than ' + ', '.join(names) if names else ''}"


class NearIdenticalRule(Rule):
    """The sides share few of their three-byte windows, in lower case (ASCII's).

    Measured: of the distinct windows of the side with fewer, those that the other side has too. OpusFilter has 0.9
    at most for its longest common substring, also divided by the shorter side; windows find a copy with a word
    changed, too. (One window is three letters of the Latin alphabet, or one character of Chinese.)
    """

    compares: ClassVar[bool] = True
    costly: ClassVar[bool] = True

    maximum: float = Field(0.9, ge=0, le=1, description="share of three-byte windows found on the other side, at most")
    minimum_characters: int = Field(20, ge=3, description="rows with a shorter side pass")

    def measure(self, rows: Rows) -> Measure:
        long = np.minimum(rows.source.characters, rows.target.characters) >= self.minimum_characters
        windows = [_windows(texts, long) for texts in (rows.source, rows.target)]
        both = np.concatenate(windows)
        both.sort()
        shared = both[1:][both[1:] == both[:-1]] >> 24
        counts = [np.bincount(side >> 24, minlength=len(rows)) for side in windows]
        similarity = np.bincount(shared, minlength=len(rows)) / np.maximum(np.minimum(*counts), 1)
        return Measure(pa.array(above(similarity, self.maximum)), {"similarity": similarity})

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g} from {self.minimum_characters} characters on"


def _windows(texts: TextColumn, rows: Bools) -> Ints:
    """The distinct three-byte windows of some rows, each below the number of its row."""
    data = (texts.data | (texts.ascii_letters.view(np.uint8) << 5)).astype(np.int64)
    row = np.repeat(np.arange(len(texts)), texts.bytes)
    inside = (row[2:] == row[: len(row) - 2]) & rows[row[2:]]
    keys = (row[2:] << 24 | data[: len(data) - 2] << 16 | data[1 : len(data) - 1] << 8 | data[2:])[inside]
    keys.sort()
    distinct: Ints = keys[np.diff(keys, prepend=-1) != 0]
    return distinct


class NumbersRule(Rule):
    """The numbers of one side stand on the other as well.

    Measured: of the numbers of both sides, the share without a partner. At most half, as OpusFilter has it for its
    similarity of numerals; OpusCleaner's recipes want all to match (0). `1,000`, `1.000` and `1 000` are one number,
    `3.5` and `3,5` two each; numbers below ten are left out, since one language spells them and the other does not.
    """

    compares: ClassVar[bool] = True

    maximum: float = Field(0.5, ge=0, le=1, description="share of numbers without a partner, at most")
    minimum_digits: int = Field(2, ge=1, description="numbers with fewer digits are left out")

    def measure(self, rows: Rows) -> Measure:
        numbers = _digits(rows.source) + _digits(rows.target) >= self.minimum_digits
        alone, total = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        pairs = zip(text_rows(rows.source.column, numbers), text_rows(rows.target.column, numbers), strict=True)
        counted = np.array([self._compare(source, target) for source, target in pairs], np.int64).reshape(-1, 2)
        alone[numbers], total[numbers] = counted[:, 0], counted[:, 1]
        part = alone / np.maximum(total, 1)
        values = {"unmatched": alone, "share": part}
        return Measure(pa.array(above(part, self.maximum)), values)

    def _compare(self, source: str, target: str) -> tuple[int, int]:
        """Numbers without a partner, and all numbers."""
        sides = [Counter(self.numbers(text)) for text in (source, target)]
        return ((sides[0] - sides[1]) + (sides[1] - sides[0])).total(), (sides[0] + sides[1]).total()

    def numbers(self, text: str) -> list[str]:
        """The numbers of a text, without separators of thousands and leading zeros."""
        found = (_plain(number).lstrip("0") for number in _NUMBER.findall(text))
        return [number for number in found if len(number) >= self.minimum_digits]

    @property
    def threshold(self) -> str:
        return f"at most {self.maximum:g} of the numbers from {self.minimum_digits} digits on unmatched"


_NUMBER = re.compile("\\d{1,3}(?:[.,'\u2019 \u00a0\u202f]\\d{3})+(?!\\d)|\\d+")


def _plain(number: str) -> str:
    """Its digits alone, as those of ASCII."""
    if number.isascii():
        return number if number.isdigit() else re.sub(r"\D", "", number)
    return "".join(str(unicodedata.decimal(character)) for character in number if character.isdecimal())


def _digits(texts: TextColumn) -> Ints:
    return texts.count(texts.ascii_digits) + texts.count_wide(unicode.members(unicode.DIGIT))


_ENDINGS = {
    **dict.fromkeys(".\u3002\uff0e\uff61\u0964\u0965\u06d4\u1362\u17d4\u104b\u0589", "statement"),
    **dict.fromkeys("?\uff1f\u061f\u037e\u055e", "question"),
    **dict.fromkeys("!\uff01\u055c", "exclamation"),
    "\u2026": "ellipsis",
}
_CLOSING = " \t\"'\u2019\u201d\u201c\u00bb\u00ab\u203a\u300d\u300f)]}\uff09\u3011"
_KINDS = pa.array(list(_ENDINGS), pa.string())
_NAMES = np.array([*_ENDINGS.values(), "none"], np.object_)


class TerminalPunctuationRule(Rule):
    """Both sides end a sentence, or neither does (closing quotes and brackets aside).

    OpusFilter has a score for this; with `compare: kind` a question must also stay one.
    """

    compares: ClassVar[bool] = True

    compare: Literal["presence", "kind"] = Field(
        "presence", description="presence: a mark that ends a sentence on both sides or none; kind: of the same kind"
    )

    def measure(self, rows: Rows) -> Measure:
        endings = [_ending(texts.column) for texts in (rows.source, rows.target)]
        compared = endings if self.compare == "kind" else [ending == "none" for ending in endings]
        failed = np.asarray(compared[0] != compared[1], np.bool_)
        names = dict(zip(("source", "target"), endings, strict=True))
        return Measure(pa.array(failed), {name: pa.array(ending, pa.string()) for name, ending in names.items()})

    @property
    def threshold(self) -> str:
        return "the same kind of ending" if self.compare == "kind" else "an ending on both sides or on none"


def _ending(column: pa.StringArray) -> npt.NDArray[Any]:
    """The kind of mark that each text ends with, object [n] of str."""
    last = pc.utf8_slice_codeunits(pc.utf8_rtrim(column, _CLOSING), -1)
    found = pc.fill_null(pc.index_in(last, value_set=_KINDS), len(_KINDS)).to_numpy()
    kinds: npt.NDArray[Any] = _NAMES[found]
    return kinds
