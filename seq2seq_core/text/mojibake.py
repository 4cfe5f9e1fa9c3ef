"""Columns of text in, the same out with UTF-8 that was once read in another encoding put right (`Ã¼` is `ü` again).

The repair is ftfy's, which weighs what a text looks like before and after. It is slow, but changes only text that a
regular expression of its own calls bad. That in turn needs two characters beyond ASCII side by side, or one of a few
that are bad alone, which NumPy finds in all rows at once; so few rows come to the expression, and fewer to ftfy itself.
"""

from __future__ import annotations

import functools
import re

import ftfy
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import BADNESS_RE

from seq2seq_core.text.column import Bools, TextColumn
from seq2seq_core.text.traits import SPACES, Trait

_VERBOSE_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|#[^\n]*|\s|.", re.DOTALL)
_UNICODE_CLASSES = {r"\w": r"[0-9A-Za-z_\x{80}-\x{10ffff}]", r"\s": rf"[\s\x0b\x1c-\x1f{SPACES}]"}
"""What Python's shorthands mean, or a little more (all of Unicode's letters take long to compile); RE2 means ASCII."""
_FEW = 100  # up to so many rows Python's expression is faster, as Arrow compiles its own at each call (measured)


def rows_with_mojibake(text: TextColumn) -> Bools:
    """The rows that ftfy calls bad, and hardly any other; all of them have characters beyond ASCII."""
    rows = text.has_any(text.wide_at[_is_beside_another(text) | text.have(Trait.BAD_ALONE)])
    suspects = np.count_nonzero(rows)
    if suspects:
        column = text.column.filter(pa.array(rows))
        if suspects <= _FEW:
            rows[rows] = [BADNESS_RE.search(row) is not None for row in column.to_pylist()]
        else:
            rows[rows] = pc.match_substring_regex(column, _badness()).to_numpy(zero_copy_only=False)
    return rows


def _is_beside_another(text: TextColumn) -> Bools:
    """Which of the characters beyond ASCII have another one right behind them."""
    beside: Bools = np.zeros(len(text.wide_at), np.bool_)
    ends = text.wide_at + text.wide_sizes
    np.equal(ends[:-1], text.wide_at[1:], out=beside[:-1])
    return beside


def repair_mojibake(column: pa.StringArray) -> pa.StringArray:
    """`ftfy.fix_encoding` of every row."""
    texts = column.to_pylist()
    return pa.array(map(ftfy.fix_encoding, texts), pa.string(), size=len(texts))


@functools.cache
def _badness() -> str:
    """ftfy's regular expression as RE2, which Arrow has, takes it: without spaces and comments between its parts."""
    tokens = _VERBOSE_TOKEN.findall(BADNESS_RE.pattern)
    return "".join(_UNICODE_CLASSES.get(token, token) for token in tokens if not (token.isspace() or token[0] == "#"))
