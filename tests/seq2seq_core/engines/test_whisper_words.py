"""Tokens become words: cut at spaces, or letters where a language has none, with the times of their tokens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from seq2seq_core.engines.recognition import Word
from seq2seq_core.engines.whisper_words import token_bytes, words_of


def spread(tokens: list[bytes]) -> np.ndarray:
    """Each token a tenth of a second long."""
    begins = np.arange(len(tokens)) / 10
    return np.stack([begins, begins + 0.1], 1)


def heard(tokens: list[bytes], language: str | None = None) -> tuple[str, tuple[Word, ...]]:
    return words_of(tokens, spread(tokens), None, language)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_tokens_are_written_as_byte_level_tokenizers_write_them(text: str) -> None:
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    (found,) = token_bytes(["".join(piece for piece, _ in pieces)])
    assert found == text.encode()


def test_special_tokens_are_no_text() -> None:
    found = token_bytes(["<|en|>", "<|0.02|>", "", "<", "|>", "a b"])
    assert found == [None, None, b"", b"<", b"|>", None]


@given(st.text(max_size=40), st.lists(st.integers(0, 160), max_size=20))
def test_words_are_those_of_the_text_however_it_is_cut(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    tokens = [data[begin:end] for begin, end in pairwise(edges)]
    found, words = heard(tokens)
    assert [word.text for word in words] == data.decode().split() == found.split()
    assert all(0 <= word.begin < word.end <= len(tokens) / 10 + 1e-9 for word in words)
    assert [word.begin for word in words] == sorted(word.begin for word in words)


def test_a_word_lasts_as_long_as_its_tokens() -> None:
    tokens = [b" hel", b"lo", b" w\xc3", b"\xb6rld", b"."]
    scores = np.array([-1.0, -2.0, -4.0, -8.0, -16.0])
    text, words = words_of(tokens, spread(tokens), scores, "en")
    assert text == "hello wörld."
    assert words == (Word("hello", 0.0, 0.2, -3.0), Word("wörld.", 0.2, 0.5, -28.0))


def test_what_is_no_text_is_marked_and_keeps_its_time() -> None:
    text, words = heard([b"\xff", b" a", b"\xe4\xbd"], "zh")
    assert (text, [word.text for word in words]) == ("\ufffd a\ufffd", ["\ufffd", "a\ufffd"])
    assert heard([]) == ("", ())
    assert heard([b" ", b"\n"]) == ("", ())


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("你好世界", "zh", ["你", "好", "世", "界"]),
        ("用GPT4吗?", "zh", ["用", "GPT4", "吗", "?"]),
        ("ที่นี่", "th", ["ที่", "นี่"]),
        ("你好 世界", "zh", ["你好", "世界"]),
        ("你好世界", None, ["你好世界"]),
        ("Bücher", "de", ["Bücher"]),
    ],
)
def test_letters_are_words_where_a_language_has_no_spaces(text: str, language: str, expected: list[str]) -> None:
    data = text.encode()
    tokens = [data[place : place + 2] for place in range(0, len(data), 2)]
    found, words = heard(tokens, language)
    assert (found, [word.text for word in words]) == (text, expected)
    assert [word.begin for word in words] == sorted(word.begin for word in words)
    assert words[-1].end == pytest.approx(len(tokens) / 10)
