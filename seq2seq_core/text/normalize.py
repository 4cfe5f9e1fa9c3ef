"""A column of text in, the same column normalised out: Unicode form and white space."""

from __future__ import annotations

import functools
import unicodedata
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from seq2seq_core.config import Config

_SPACE = r"\t-\r\x{1c}-\x{1f}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_SPACE_RUN = rf"[ {_SPACE}]+"
_IRREGULAR = rf"[{_SPACE}]|  |^ | $"


class NormalizeConfig(Config):
    """How text is normalised before it is judged, compared and encoded."""

    unicode: Literal["nfkc", "nfc", "none"] = Field(
        "nfkc", description="Unicode normalisation form; nfkc also folds ligatures, full-width letters and the like"
    )
    whitespace: bool = Field(
        True, description="one space for each run of white space (Unicode's included), none at the ends"
    )


def normalize(column: pa.StringArray, config: NormalizeConfig) -> pa.StringArray:
    """Apply the normalisation; nulls stay null. Applying it twice changes nothing more.

    White space is what Unicode calls so (the White_Space property and the four information separators), as in
    Python's `str.split()`.
    """
    if config.unicode != "none":
        column = compose(column, "NFC" if config.unicode == "nfc" else "NFKC")
    return squeeze_spaces(column) if config.whitespace else column


def compose(column: pa.StringArray, form: Literal["NFC", "NFKC"]) -> pa.StringArray:
    """The Unicode normalisation form of every row; rows of ASCII alone are in it already.

    Python's `unicodedata` does it: `pyarrow.compute.utf8_normalize` (25.0) gives decomposed text for both forms.
    """
    others = pc.fill_null(pc.invert(pc.string_is_ascii(column)), False)
    texts = column.filter(others).to_pylist()
    composed = pa.array(map(functools.partial(unicodedata.normalize, form), texts), pa.string(), size=len(texts))
    return pc.replace_with_mask(column, others, composed)


def squeeze_spaces(column: pa.StringArray) -> pa.StringArray:
    """`" ".join(text.split())` for every row; only rows that need it are rewritten."""
    irregular = irregular_spaces(column)
    if not pc.any(irregular).as_py():
        return column
    rewritten = pc.utf8_trim(pc.replace_substring_regex(column.filter(irregular), _SPACE_RUN, " "), " ")
    return pc.replace_with_mask(column, irregular, rewritten)


def irregular_spaces(column: pa.StringArray) -> pa.BooleanArray:
    """Where a row has white space other than single spaces between words."""
    return pc.fill_null(pc.match_substring_regex(column, _IRREGULAR), False)
