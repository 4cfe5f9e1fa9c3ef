"""Training: special ids, the same bytes again, lossless round trips and errors that say what to set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq_core import config as configuration
from seq2seq_core.errors import ConfigError, TokenizerError
from seq2seq_core.tokenizer.model import Tokenizer
from seq2seq_core.tokenizer.training import TokenizerConfig, train

TEXTS = [f"the {a} {b} is not the {b} of {a}" for a in ("man", "dog", "über") for b in ("house", "street", "hats")]


def config(**values: Any) -> TokenizerConfig:
    return configuration.build(TokenizerConfig, {"vocabulary_size": 280} | values)


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_the_same_texts_give_the_same_bytes(kind: str) -> None:
    first = train(iter(TEXTS * 50), config(type=kind))
    assert first == train(iter(TEXTS * 50), config(type=kind))
    assert Tokenizer(first).vocabulary_size == (280 if kind != "char" else 4 + 256 + len({*"".join(TEXTS)}))


MODEL = Tokenizer(train(iter(TEXTS * 50), config()))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\u2581"), max_size=20))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    (ids,) = MODEL.encode([text])
    assert MODEL.decode([np.asarray(ids)]) == [text]


def test_a_large_vocabulary_names_the_largest_that_fits() -> None:
    with pytest.raises(
        TokenizerError, match=r"too small for this vocabulary; found .* 9999; expected at most (\d+)"
    ) as error:
        train(iter(TEXTS), config(vocabulary_size=9999))
    largest = int(str(error.value.expected).split()[-1])
    assert Tokenizer(train(iter(TEXTS), config(vocabulary_size=largest))).vocabulary_size == largest


@pytest.mark.parametrize("kind", ["unigram", "bpe", "char"])
def test_a_small_vocabulary_says_what_to_set(kind: str) -> None:
    with pytest.raises(TokenizerError, match=r"too small for the characters.*Raise tokenizer\.vocabulary_size"):
        train(iter(TEXTS), config(type=kind, vocabulary_size=12, byte_fallback=False))


@pytest.mark.parametrize("split", [False, True])
def test_digits_are_split_when_asked_for(split: bool) -> None:
    texts = [f"room {year} in {year}" for year in range(1900, 1990)]
    model = Tokenizer(train(iter(texts), config(type="bpe", vocabulary_size=278, split_digits=split)))
    pieces = [piece.strip("\u2581") for piece in model.pieces(model.encode(["room 1919"])[0])]
    assert "".join(pieces) == "room1919"
    assert (pieces[-4:] == list("1919")) == split


def test_one_way_to_get_a_tokenizer() -> None:
    with pytest.raises(ConfigError, match="both sides are needed"):
        config(source_model="a")
    with pytest.raises(ConfigError, match="found m and a"):
        config(model="m", source_model="a", target_model="b")
    assert config(model="m").given == ("m", "m")
    assert config(source_model="a", target_model="b").given == ("a", "b")
    assert config().given is None
