"""What stood between two segments and the outputs that meet there in, what has to stand between the outputs out."""

from __future__ import annotations

import re

_UNSPACED = (
    "\u0e01-\u0e5b\u0e81-\u0fda\u1000-\u109f\u1780-\u17f9\u19e0-\u19ff\u2e80-\u2fd5\u3005-\u3029\u3031-\u303b\u3041-\u30ff"
    "\u31f0-\u31ff\u32d0-\u32fe\u3300-\u3357\u3400-\u9fff\ua9e0-\ua9fe\uaa60-\uaa7f\uf900-\ufad9\uff66-\uff9d"
    "\U00016fe2\U00016fe3\U00016ff0-\U00016ff6\U0001aff0-\U0001b167\U0001f200\U00020000-\U000323af"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, Japanese and Chinese: what is written without spaces between words."""

_WIDE_MARKS = "\u3001-\u3004\uff01-\uff65"
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_IN_UNSPACED_TEXT = re.compile(f"[{_UNSPACED}{_WIDE_MARKS}]")
_ASCII_LETTER = re.compile("[A-Za-z]")
_SPACES = re.compile("[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*")
_WIDE_SPACE = "\u3000"
_LETTERS_OF_A_SIGN = 3
"""About so many letters tell as much as one Chinese sign."""


def fit_gap(gap: str, left: str, right: str, spaced: bool | None) -> str:
    """What stands between two outputs that are not empty.

    Line ends, tabs and the like are layout and stay. Else nothing stands where both outputs are in scripts without
    spaces; where both are in scripts with spaces, the gap of the source, if it was one, or a space. Where the outputs
    disagree or have no letters the target language decides; where that is not known, the gap stays as it was.

    Args:
        gap: What stood between the segments.
        left: The output before it.
        right: The output after it.
        spaced: Whether the target language uses spaces; None where it is not known.
    """
    if not _SPACES.fullmatch(gap):
        return gap
    wanted = _decide(left, right, spaced)
    if wanted is None:
        return gap
    if not wanted:
        return ""
    stands_apart = left[-1].isspace() or right[0].isspace()
    return gap if gap.strip(_WIDE_SPACE) or stands_apart else " "


def is_inside_word(left: str, right: str) -> bool:
    """Whether a cut between two characters that touch parts a word, as it does where neither is of unspaced text."""
    return not _IN_UNSPACED_TEXT.match(left) and not _IN_UNSPACED_TEXT.match(right)


def _decide(left: str, right: str, spaced: bool | None) -> bool | None:
    """Whether a space has to stand between two outputs; None where nothing tells."""
    kinds = {_has_spaces(left), _has_spaces(right)}
    if len(kinds) > 1 and spaced is not None:
        return spaced
    told = kinds - {None}
    if not told:
        return spaced
    return told.pop() if len(told) == 1 else None


def _has_spaces(text: str) -> bool | None:
    """Whether most letters of a text are of scripts with spaces; None where it has no letters."""
    if text.isascii():
        return True if _ASCII_LETTER.search(text) else None
    rest = _UNSPACED_RUN.sub("", text)
    unspaced, letters = len(text) - len(rest), sum(map(str.isalpha, rest))
    return letters > unspaced * _LETTERS_OF_A_SIGN if unspaced or letters else None
