"""Texts in a fixed order in, a serialized SentencePiece model out: the same bytes for the same texts, anywhere.

The text is normalised before, so the tokenizer's own normalisation is the identity and white space is kept as it
is: decoding gives back exactly what was encoded, except that the mark U+2581 comes back as a space and, without
byte fallback, that characters outside the vocabulary are lost.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import pydantic
import sentencepiece
from pydantic import Field

from seq2seq_core.config import Config, Location
from seq2seq_core.errors import TokenizerError
from seq2seq_core.tokenizer.proto import round_scores
from seq2seq_core.tokenizer.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNKNOWN_ID
from seq2seq_core.tokenizer.words import SCORE_STEP

logger = logging.getLogger(__name__)

# Sums of the expectation step are made per thread: another number of threads would train another model.
_THREADS = 4
_MOST_PIECES = 10_000_000
_LONGEST_SENTENCE_BYTES = 1 << 20
_LIMIT = re.compile(r"set it to a value <= (\d+)")
_NEEDED = re.compile(r"smaller than required_chars\. \d+ vs (\d+)")


class TokenizerConfig(Config):
    """Given SentencePiece models (`model`, or `source_model` and `target_model`), or how to train them."""

    model: Location | None = Field(None, description="a given model for both sides; nothing is trained")
    source_model: Location | None = Field(None, description="a given model for the source side, with target_model")
    target_model: Location | None = Field(None, description="a given model for the target side, with source_model")
    type: Literal["unigram", "bpe", "char"] = Field(
        "unigram", description="SentencePiece's kind of model; char: a piece is a character, as speech models like it"
    )
    vocabulary_size: int = Field(
        8000, ge=8, le=_MOST_PIECES, description="pieces of each trained model, special ones included; of char at most"
    )
    joint: bool = Field(True, description="train one model on both sides (else one a side)")
    sample_rows: int = Field(
        500_000, ge=1, le=1 << 40, description="most training rows a model is trained on (a uniform sample)"
    )
    character_coverage: float = Field(
        0.9995, ge=0.98, le=1.0, description="share of the sample's characters that get a piece of their own"
    )
    split_digits: bool = Field(False, description="every digit is a piece of its own: numbers are spelt, not memorised")
    byte_fallback: bool = Field(True, description="spell characters outside the vocabulary in bytes: nothing is lost")

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.source_model is None) != (self.target_model is None):
            there, missing = ("target", "source") if self.source_model is None else ("source", "target")
            found = getattr(self, f"{there}_model")
            raise ValueError(
                f"both sides are needed; found {there}_model={found!r} without {missing}_model. Give {missing}_model "
                "as well, or model for a joint tokenizer"
            )
        if self.model is not None and self.source_model is not None:
            raise ValueError(f"give model or source_model and target_model; found {self.model} and {self.source_model}")
        return self

    @property
    def given(self) -> tuple[str, str] | None:
        """The given models of source and target; None when they are to be trained."""
        if self.model is not None:
            return self.model, self.model
        if self.source_model is not None and self.target_model is not None:
            return self.source_model, self.target_model
        return None


def train(texts: Iterator[str], config: TokenizerConfig, controls: Sequence[str] = ()) -> bytes:
    """Train one model; ids are pad 0, unknown 1, begin 2, end 3, and then those of control pieces no text has.

    Scores are rounded to multiples of `words.SCORE_STEP`, so that a word is cut the same in every sentence.

    Raises:
        TokenizerError: The vocabulary is larger than the texts can fill, or too small for their characters.
    """
    out = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=texts,
            model_writer=out,
            model_type=config.type,
            **_size_of(config),
            character_coverage=config.character_coverage,
            split_digits=config.split_digits,
            byte_fallback=config.byte_fallback,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            max_sentence_length=_LONGEST_SENTENCE_BYTES,
            num_threads=_THREADS,
            pad_id=PAD_ID,
            unk_id=UNKNOWN_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            control_symbols=list(controls),
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _explain(str(error), config) from None
    if config.type == "char":
        _check_size(out.getvalue(), config)
    return round_scores(out.getvalue(), SCORE_STEP)


def _size_of(config: TokenizerConfig) -> dict[str, Any]:
    """How many pieces are asked for. A model holds every option that is given, so what is as usual is left out."""
    if config.type == "char":
        return {"vocab_size": _MOST_PIECES, "hard_vocab_limit": False}
    return {"vocab_size": config.vocabulary_size}


def _check_size(model: bytes, config: TokenizerConfig) -> None:
    """Characters are as many as there are: the vocabulary must have room for all of them."""
    found = sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size()
    if found > config.vocabulary_size:
        raise _too_small(config, f"{found} or more")


def _explain(message: str, config: TokenizerConfig) -> TokenizerError:
    limit = _LIMIT.search(message)
    if limit:
        return TokenizerError(
            "the corpus is too small for this vocabulary",
            found=f"tokenizer.vocabulary_size {config.vocabulary_size}",
            expected=f"at most {limit[1]}",
            advice=f"Set tokenizer.vocabulary_size to {limit[1]} or less.",
        )
    needed = _NEEDED.search(message)
    if needed:
        return _too_small(config, f"more than {needed[1]}")
    return TokenizerError("training failed", found=message)


def _too_small(config: TokenizerConfig, expected: str) -> TokenizerError:
    return TokenizerError(
        "the vocabulary is too small for the characters of the corpus",
        found=f"tokenizer.vocabulary_size {config.vocabulary_size}",
        expected=expected,
        advice="Raise tokenizer.vocabulary_size, or lower tokenizer.character_coverage with byte_fallback on.",
    )
