# ruff: noqa: RUF001, RUF002 (letters that look like others are what it is about)
"""Transcripts in, and the form of them out in which they are compared: letters folded, no punctuation, single spaces.

What is said of a text can be written in many ways that sound the same. The form `standard` is, in this order:

    asides             what stands between brackets, parentheses or angles goes: [noise], (music), <unk> are not said
                       (as in Radford et al. 2022, appendix C)
    apostrophes        all kinds become ', invisible characters (format controls, variation selectors) go
    NFKC               full-width letters, ligatures and the like become plain ones
    case               Unicode's case folding, so that ß becomes ss; in Turkish and its like I becomes ı first, and İ i
    punctuation        all that is no letter, mark, number or apostrophe becomes a space, hyphens inside words as well
    apostrophes        stay inside words (don't, l'eau) and go elsewhere
    white space        single spaces; none beside characters of scripts that are written without them, where the
                       language is one of those

Numbers stay as they are: 12 and twelve differ.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.languages import is_language, short_code, uses_spaces
from seq2seq_core.text.octets import Bools

ANY_LANGUAGE: Final = "und"
"""ISO 639's code for a language that is not known; its transcripts have spaces between words."""

_DOTLESS = frozenset({"az", "crh", "tr", "tt"})
"""Languages in which I is the capital of ı, and İ that of i: Azerbaijani, Crimean Tatar, Turkish, Tatar in Latin."""

_LOOSE = r"[^a-z0-9 ]|^ | $|  "
_SMALL_SCRIPTS = "[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}\u30fc]\\p{M}*"
_APOSTROPHES = "[`\xb4\u2018\u2019\u201b\u02bc\u2032\uff07]"
_UNSEEN = "[\\p{Cf}\ufe00-\ufe0f]"
_ASIDES = r"\[[^\[\]]*\]|\([^()]*\)|<[^<>]*>"
_BETWEEN_WORDS = (
    (r"[^\p{L}\p{M}\p{N}']+", " "),
    ("''+", "'"),
    ("(^| )'", r"\1"),
    ("'( |$)", r"\1"),
    ("  +", " "),
)


def check_language(code: str) -> str:
    """The code of a language, or `und`; a ValueError where it is none."""
    if code != ANY_LANGUAGE and not is_language(code):
        raise ValueError(f"no language has the code {code!r}; expected a code of ISO 639 such as en or de, or und")
    return code


def loose_rows(text: TextColumn) -> Bools:
    """The rows that `standard` might change: all but those of ASCII's small letters, digits and single spaces."""
    found = pc.fill_null(pc.match_substring_regex(text.column, _LOOSE), False)
    rows: Bools = found.to_numpy(zero_copy_only=False)
    return rows


def standard(column: pa.StringArray, language: str) -> pa.StringArray:
    """The form `standard` of every row; nulls stay null."""
    column = pc.replace_substring_regex(column, _ASIDES, " ")
    column = pc.replace_substring_regex(column, _APOSTROPHES, "'")
    column = _folded(pc.replace_substring_regex(column, _UNSEEN, ""), language)
    for pattern, replacement in _BETWEEN_WORDS:
        column = pc.replace_substring_regex(column, pattern, replacement)
    if is_unspaced(language):
        column = pc.replace_substring_regex(column, f" ?({_SMALL_SCRIPTS}) ?", r"\1")
    return pc.utf8_trim(column, " ")


def is_unspaced(language: str) -> bool:
    """Whether a language is written without spaces between its words."""
    return uses_spaces(language) is False


def words_apart(column: pa.StringArray, language: str) -> pa.StringArray:
    """The same with spaces around each word; in languages without spaces each character of their scripts is one."""
    if not is_unspaced(language):
        return column
    return pc.replace_substring_regex(column, f"({_SMALL_SCRIPTS})", r" \1 ")


def _folded(column: pa.StringArray, language: str) -> pa.StringArray:
    """NFKC and case folding, by Python where a row is beyond ASCII: pyarrow decomposes for NFKC, and cannot fold."""
    has_dotless = short_code(language) in _DOTLESS
    rows = pc.invert(pc.string_is_ascii(column))
    if has_dotless:
        rows = pc.or_(rows, pc.match_substring(column, "I"))
    rows = pc.fill_null(rows, False)
    if pc.any(rows).as_py():
        texts = [_fold(text, has_dotless=has_dotless) for text in column.filter(rows).to_pylist()]
        column = pc.replace_with_mask(column, rows, pa.array(texts, column.type))
    return pc.ascii_lower(column)


def _fold(text: str, *, has_dotless: bool) -> str:
    text = unicodedata.normalize("NFKC", text).replace("\u0130", "i")  # its case folding keeps a dot of its own
    if has_dotless:
        text = text.replace("I", "\u0131")
    return unicodedata.normalize("NFKC", text.casefold())
