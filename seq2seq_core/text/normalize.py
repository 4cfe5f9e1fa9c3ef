"""A column of text in, the same column normalised out: itself, with all that was found of it, where nothing changes.

Each normaliser knows the rows that it might change, from one look at all the bytes of a column (`TextColumn`); only
these rows go through the normalisers.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pydantic
from pydantic import Field

from seq2seq_core import config as configuration
from seq2seq_core.config import Config
from seq2seq_core.text import transcripts
from seq2seq_core.text.accents import repair_accents
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.invisible import remove_invisible, rows_with_invisible
from seq2seq_core.text.mojibake import repair_mojibake, rows_with_mojibake
from seq2seq_core.text.octets import Bools
from seq2seq_core.text.traits import DASHES, SPACES, Form, Trait

_SPACE_RUN = rf"[ \t-\r\x1c-\x1f{SPACES}]+"
_SINGLE_QUOTES = "[\xb4\u2018-\u201b\u2039\u203a\u275b\u275c]"
_DOUBLE_QUOTES = "[\xab\xbb\u201c-\u201f\u275d\u275e\u301d-\u301f]"
_SIGMA = "\u03a3"
_DOTTED_I = "\u0130"
_MOST_ROUNDS = 16


class NormalizeConfig(Config):
    """How text is normalised before it is judged, compared and encoded."""

    unicode: Literal["nfkc", "nfc", "none"] = Field(
        "nfkc", description="Unicode normalisation form; nfkc also folds ligatures, full-width letters and the like"
    )
    whitespace: bool = Field(
        True, description="one space for each run of white space (Unicode's included), none at the ends"
    )
    invisible: bool = Field(
        True,
        description="remove control and zero-width characters, marks of direction and soft hyphens; joiners stay in "
        "emoji and in scripts that need them",
    )
    mojibake: bool = Field(
        True, description="repair UTF-8 that was read in another encoding (ftfy), as in Ã¼ for ü, where that is certain"
    )
    accents: bool = Field(
        False, description="put accents that stand alone back on their letters, as in G¨ odel, which old PDFs give"
    )
    quotes: bool = Field(False, description="Unicode quotation marks become ASCII's ' and \"")
    dashes: bool = Field(False, description="Unicode dashes, hyphens and the minus sign become ASCII's -")
    case: Literal["lower", "none"] = Field("none", description="lower: all letters in lower case")
    transcript: Annotated[str, pydantic.AfterValidator(transcripts.check_language)] | None = Field(
        None,
        description="the form in which transcripts are compared (letters folded, no punctuation but apostrophes inside "
        "words): the code of their language, such as en, or und for any; null: texts keep their form",
    )

    @pydantic.model_serializer(mode="wrap")
    def _without_what_is_off(self, dump: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without `transcript` where it is off: what is written of texts that keep their form does not change."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if name != "transcript" or value is not None}


def overridden(config: NormalizeConfig, own: Mapping[str, Any] | None, where: str) -> NormalizeConfig:
    """What a run says of all corpora, with what one of them says of itself over it, key by key.

    Raises:
        ConfigError: A key is unknown, or a value does not fit; `where` names the place.
    """
    return configuration.build(NormalizeConfig, {**config.model_dump(), **own}, where=where) if own else config


class _Step(NamedTuple):
    """A normaliser: the rows it might change (all others it would leave), and how it changes a column of them."""

    rows: Callable[[TextColumn], Bools]
    rewrite: Callable[[pa.StringArray], pa.StringArray]


def normalize(text: TextColumn, config: NormalizeConfig) -> TextColumn:
    """Apply the normalisation; nulls stay null. Applying it twice changes nothing more.

    What is normalised goes through again until nothing changes, as one normaliser can make work for one before it: a
    composed letter can be part of a mojibake, and a lower-case letter have a composed form that the upper has not.

    White space is what Unicode calls so (the White_Space property and the four information separators), as in
    Python's `str.split()`.
    """
    return _settle(text, _steps(config), _MOST_ROUNDS)


def compose(text: TextColumn, form: Form) -> TextColumn:
    """The Unicode normalisation form of every row; only rows that need it are rewritten."""
    return _apply(_compose_step(form), text)


def _settle(text: TextColumn, steps: tuple[_Step, ...], rounds: int) -> TextColumn:
    """Run the rows that any step might change through all of them, again and again while they change."""
    rows = np.zeros(len(text), np.bool_)
    for step in steps:
        rows |= step.rows(text)
    if not rounds or not rows.any():
        return text
    before = text.only(rows)
    after = before
    for step in steps:
        after = _apply(step, after)
    differ = pc.not_equal(before.column, after.column)
    if not pc.any(differ).as_py():
        return text
    settled = _settle(TextColumn(after.column.filter(differ)), steps, rounds - 1).column
    changed = pc.replace_with_mask(after.column, differ, settled)
    return text.replaced(rows, TextColumn(changed))


def _apply(step: _Step, text: TextColumn) -> TextColumn:
    rows = step.rows(text)
    if not rows.any():
        return text
    if rows.all():
        return TextColumn(step.rewrite(text.column))
    mask = pa.array(rows)
    return TextColumn(pc.replace_with_mask(text.column, mask, step.rewrite(text.column.filter(mask))))


@functools.cache
def _steps(config: NormalizeConfig) -> tuple[_Step, ...]:
    """The normalisers in their order.

    Mojibake comes first, for every other one would damage it; accents and quotes stand before NFKC, which makes a
    space of an acute that stands alone.
    """
    steps = []
    if config.mojibake:
        steps.append(_Step(rows_with_mojibake, repair_mojibake))
    if config.invisible:
        steps.append(_Step(rows_with_invisible, remove_invisible))
    if config.accents:
        steps.append(_trait_step(Trait.ACCENT, repair_accents))
    if config.quotes:
        steps.append(_trait_step(Trait.QUOTE, _straighten_quotes))
    if config.case == "lower":
        steps.append(_Step(_rows_with_upper_case, _lower))
    if config.unicode != "none":
        steps.append(_compose_step("NFC" if config.unicode == "nfc" else "NFKC"))
    if config.dashes:
        steps.append(_trait_step(Trait.DASH, _straighten_dashes))
    if config.transcript is not None:
        steps.append(_transcript_step(config.transcript))
    if config.whitespace:
        steps.append(_SPACES_STEP)
    return tuple(steps)


def _trait_step(trait: Trait, rewrite: Callable[[pa.StringArray], pa.StringArray]) -> _Step:
    return _Step(lambda text: text.rows_with(trait), rewrite)


def _compose_step(form: Form) -> _Step:
    """Python's `unicodedata` does it: `pyarrow.compute.utf8_normalize` (25.0) gives decomposed text for both forms."""

    def rewrite(column: pa.StringArray) -> pa.StringArray:
        texts = column.to_pylist()
        return pa.array(map(functools.partial(unicodedata.normalize, form), texts), pa.string(), size=len(texts))

    return _Step(lambda text: text.rows_not_in(form), rewrite)


def _transcript_step(language: str) -> _Step:
    return _Step(transcripts.loose_rows, lambda column: transcripts.standard(column, language))


def _squeeze(column: pa.StringArray) -> pa.StringArray:
    return pc.utf8_trim(pc.replace_substring_regex(column, _SPACE_RUN, " "), " ")


_SPACES_STEP = _Step(lambda text: text.rows_with_irregular_spaces(), _squeeze)


def _straighten_quotes(column: pa.StringArray) -> pa.StringArray:
    """The marks that Moses' normalize-punctuation makes straight, and rarer ones; CJK brackets are none of them."""
    return pc.replace_substring_regex(pc.replace_substring_regex(column, _SINGLE_QUOTES, "'"), _DOUBLE_QUOTES, '"')


def _straighten_dashes(column: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(column, f"[{DASHES}]", "-")


def _rows_with_upper_case(text: TextColumn) -> Bools:
    changes = pc.fill_null(pc.not_equal(pc.utf8_lower(text.column), text.column), False)
    mask: Bools = changes.to_numpy(zero_copy_only=False)
    return mask


def _lower(column: pa.StringArray) -> pa.StringArray:
    """Unicode's simple lower case, but a capital sigma is the final one at the end of a word."""
    sigma = pc.match_substring(column, _SIGMA)
    if pc.any(sigma).as_py():
        lower = [text.replace(_DOTTED_I, "i").lower() for text in column.filter(sigma).to_pylist()]
        column = pc.replace_with_mask(column, sigma, pa.array(lower, pa.string()))
    return pc.utf8_lower(column)
