"""A target language in, the control piece that asks a multilingual model for it out: in the data and at inference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seq2seq_core.errors import ConfigError
from seq2seq_core.tokenizer.model import Tokenizer

_OPENS, _CLOSES = ">>", "<<"


def tag_of(language: str) -> str:
    """The piece of a language, in the form that Marian and OPUS-MT models use."""
    return f"{_OPENS}{language}{_CLOSES}"


def languages_of(tokenizer: Tokenizer) -> list[str]:
    """The languages a tokenizer has pieces for, sorted."""
    found = [piece for piece in tokenizer.controls if piece.startswith(_OPENS) and piece.endswith(_CLOSES)]
    return sorted(piece.removeprefix(_OPENS).removesuffix(_CLOSES) for piece in found)


def prefix_of(tokenizer: Tokenizer, language: str | None, where: str) -> npt.NDArray[np.int32]:
    """What stands before every source that is to become `language` (int32): its tag, or nothing without a language.

    Raises:
        ConfigError: The model was trained without such a tag; the message names those it has.
    """
    if language is None:
        return np.zeros(0, np.int32)
    known = languages_of(tokenizer)
    if language not in known:
        raise ConfigError(
            "the model has no tag for this language",
            where=where,
            found=f"target_language {language}",
            expected=f"one of {', '.join(known)}" if known else "no target_language: it was trained without tags",
        )
    return np.array([tokenizer.control_id(tag_of(language))], np.int32)
