"""Columns of text in, the same out with UTF-8 that was once read in another encoding put right (`Ã¼` is `ü` again).

The repair is ftfy's, which weighs what a text looks like before and after. It is slow, but changes only text that a
regular expression of its own calls bad, so Arrow asks that one of all rows at once, and few come to ftfy itself.
"""

from __future__ import annotations

import functools
import re

import ftfy
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import BADNESS_RE

from seq2seq_core.text.characters import SPACES, Mask, Text

_VERBOSE_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|#[^\n]*|\s|.", re.DOTALL)
_UNICODE_CLASSES = {r"\w": r"[0-9A-Za-z_\x{80}-\x{10ffff}]", r"\s": rf"[\s\x0b\x1c-\x1f{SPACES}]"}
"""What Python's shorthands mean, or a little more (all of Unicode's letters take long to compile); RE2 means ASCII."""


def rows_with_mojibake(text: Text) -> Mask:
    """The rows that ftfy calls bad, and hardly any other; all of them have characters beyond ASCII."""
    rows = text.rows_of(text.at)
    if rows.any():
        bad = pc.match_substring_regex(text.column.filter(pa.array(rows)), _badness())
        rows[rows] = bad.to_numpy(zero_copy_only=False)
    return rows


def repair_mojibake(column: pa.StringArray) -> pa.StringArray:
    """`ftfy.fix_encoding` of every row."""
    texts = column.to_pylist()
    return pa.array(map(ftfy.fix_encoding, texts), pa.string(), size=len(texts))


@functools.cache
def _badness() -> str:
    """ftfy's regular expression as RE2, which Arrow has, takes it: without spaces and comments between its parts."""
    tokens = _VERBOSE_TOKEN.findall(BADNESS_RE.pattern)
    return "".join(_UNICODE_CLASSES.get(token, token) for token in tokens if not (token.isspace() or token[0] == "#"))
