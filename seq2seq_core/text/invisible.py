"""Columns of text in, the same out without characters that nobody sees: controls, zero-width characters and marks.

Three kinds have a meaning in their place and stay there: the zero-width non-joiner between two letters or marks of a
script that joins its letters (Persian plurals, Indic conjuncts; UAX 31, section 2.3), the zero-width joiner behind one
(Malayalam chillus, the Bengali khanda ta) or between two emoji, and the tags of a flag (UTS 51).
"""

from __future__ import annotations

import functools
import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.text.column import Bools, TextColumn
from seq2seq_core.text.traits import INVISIBLE, JOINERS, Trait, characters_in

_ASCII_CONTROLS = "\x00-\x08\x0e-\x1b\x7f"
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff"
_AFTER_EMOJI = "\ufe0f\U000e007f"  # the emoji style and the end of a flag; skin tones are emoji
_JOINING_BLOCKS = (
    "\u0600-\u074f\u0750-\u077f\u07c0-\u07ff\u0840-\u08ff"  # Arabic, Syriac, N'Ko, Mandaic
    "\u0900-\u0dff\u1cd0-\u1cff\ua8e0-\ua8ff"  # the scripts of India, Devanagari to Sinhala
    "\u1000-\u109f\u1780-\u17ff\u1800-\u18af\u1b00-\u1bff\ua840-\ua87f\ua980-\ua9df"  # Myanmar, Khmer, Mongolian, Java
    "\U00010d00-\U00010d3f\U00011000-\U000114df\U0001e900-\U0001e95f"  # Rohingya, Brahmi's descendants, Adlam
)


def rows_with_invisible(text: TextColumn) -> Bools:
    """The rows with a character that may have to go."""
    return text.rows_with(Trait.INVISIBLE) | text.has_any(text.control_signs)


def remove_invisible(column: pa.StringArray) -> pa.StringArray:
    """Remove what is invisible and means nothing where it stands."""
    column = pc.replace_substring_regex(column, _re2_class(_ASCII_CONTROLS + INVISIBLE), "")
    joined = pa.array(TextColumn(column).rows_with(Trait.JOINER))
    texts = column.filter(joined).to_pylist()
    return pc.replace_with_mask(
        column, joined, pa.array(map(_without_stray_joiners, texts), pa.string(), size=len(texts))
    )


def _without_stray_joiners(text: str) -> str:
    text = _DOUBLE_JOINERS.sub(r"\1", text)
    return _joiners().sub(r"\1", text)


_DOUBLE_JOINERS = re.compile("([\u200c\u200d])[\u200c\u200d]+")


@functools.cache
def _joiners() -> re.Pattern[str]:
    """Every joiner and tag; where it has a meaning, the first group holds it."""
    letter = "".join(chr(code) for code in characters_in(_JOINING_BLOCKS) if unicodedata.category(chr(code))[0] in "LM")
    return re.compile(
        "(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"
        f"|(?<=[{letter}])\u200c(?=[{letter}])|(?<=[{letter}])\u200d"
        f"|(?<=[{_EMOJI}{_AFTER_EMOJI}])\u200d(?=[{_EMOJI}]))|[{JOINERS}]"
    )


def _re2_class(ranges: str) -> str:
    """A character class as RE2 takes it: escaped, for NUL and what is no character cannot stand there as they are."""
    return "[" + "".join(c if c == "-" else rf"\x{{{ord(c):x}}}" for c in ranges) + "]+"
