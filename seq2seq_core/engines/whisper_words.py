"""Tokens of a Whisper model with their times in, words with theirs out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from seq2seq_core.engines.recognition import Word

_SPECIAL = re.compile(r"<\|[^|]*\|>")
_BETWEEN_SPACES = re.compile(rb"[^\t-\r\x1c-\x20]+")
_WITHOUT_SPACES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
"""Languages that are written without spaces between words."""


def token_bytes(vocabulary: Sequence[str]) -> list[bytes | None]:
    """What each token stands for: bytes of UTF-8, of which a letter may take several tokens; None for what is no text.

    A token is written with a letter for each byte (Radford et al. 2019): a byte that is a visible letter of Latin 1
    stands for itself, the others are written as the letters from U+0100 on.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in set(visible)]
    of_letter = {chr(byte): byte for byte in visible} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
    return [_bytes_of(token, of_letter) for token in vocabulary]


def _bytes_of(token: str, of_letter: dict[str, int]) -> bytes | None:
    if _SPECIAL.fullmatch(token) or not all(letter in of_letter for letter in token):
        return None
    return bytes(of_letter[letter] for letter in token)


def words_of(
    tokens: Sequence[bytes],
    times: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64] | None,
    language: str | None,
) -> tuple[str, tuple[Word, ...]]:
    """The text of tokens, and its words.

    Args:
        tokens: What each stands for.
        times: Begin and end of each token in seconds, shape (tokens, 2).
        scores: Its log probability; None where they are not known.
        language: Its code; None where it is not known.
    """
    data = b"".join(tokens)
    text = " ".join(data.decode("utf-8", "replace").split())
    ends = np.fromiter(accumulate(map(len, tokens)), np.int64, len(tokens))
    cuts = list(_between_spaces(data))
    if len(cuts) == 1 and language in _WITHOUT_SPACES and "\ufffd" not in text:
        cuts = list(_letters(*cuts[0]))
    return text, tuple(_word(cut, ends, times, scores) for cut in cuts)


_Cut = tuple[int, int, str]
"""A text, and the bytes [begin, end) that it stands in."""


def _word(
    cut: _Cut, ends: npt.NDArray[np.int64], times: npt.NDArray[np.float64], scores: npt.NDArray[np.float64] | None
) -> Word:
    first, last = np.searchsorted(ends, [cut[0], cut[1] - 1], "right").tolist()
    score = None if scores is None else float(scores[first : last + 1].sum())
    return Word(cut[2], round(float(times[first, 0]), 3), round(float(times[last, 1]), 3), score)


def _between_spaces(data: bytes) -> Iterator[_Cut]:
    """Parts between spaces; those that only other spaces than ASCII's divide share their bytes."""
    for found in _BETWEEN_SPACES.finditer(data):
        for text in found[0].decode("utf-8", "replace").split():
            yield found.start(), found.end(), text


def _letters(begin: int, end: int, text: str) -> Iterator[_Cut]:
    """Each letter with its marks; words and numbers of ASCII whole."""
    begins = [place for place in range(len(text)) if place == 0 or not _belongs(text[place - 1], text[place])]
    for first, last in pairwise([*begins, len(text)]):
        size = len(text[first:last].encode())
        yield begin, min(begin + size, end), text[first:last]
        begin += size


def _belongs(before: str, letter: str) -> bool:
    """Whether a letter belongs to the one before it."""
    both_ascii = before.isascii() and letter.isascii() and before.isalnum() and letter.isalnum()
    return both_ascii or unicodedata.category(letter).startswith("M")
