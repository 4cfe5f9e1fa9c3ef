"""Names of Unicode properties in, tables to look code points up in out, built no further than they are asked for.

Membership is asked of RE2, the regular expressions inside Arrow, whose tables carry Unicode's scripts (Python's
`unicodedata` does not).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

CODE_POINTS = 0x110000
_ALPHABETS = 0x3000  # below stand the scripts of all continents but the east of Asia, and nearly all signs

LETTER = r"\p{L}\p{M}"
DIGIT = r"\p{Nd}"
NUMBER = r"\p{N}"
SYMBOL = r"\p{S}"
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
"""Scripts written without a space between words."""

_ASSIGNED = ((0x80, 0xD800), (0xE000, 0x32400), (0xE0000, 0xE0200))  # no letter, digit or space stands elsewhere


class Members:
    """Which code points have a property; most texts never ask for more than a hundredth of them."""

    def __init__(self, build: Callable[[int], npt.NDArray[np.bool_]]) -> None:
        """What `build` is: a function that gives the table of all code points below a limit, bool [limit]."""
        self._build = functools.cache(build)

    def __getitem__(self, points: npt.NDArray[np.integer[Any]] | int) -> Any:
        """Whether each of some code points has the property: bool, in their shape."""
        limit = _ALPHABETS if np.max(points, initial=0) < _ALPHABETS else CODE_POINTS
        return self._build(limit)[points]

    def below(self, limit: int = CODE_POINTS) -> npt.NDArray[np.bool_]:
        """The table of all code points below a limit, bool [limit]."""
        return self._build(limit)


@functools.cache
def members(character_class: str) -> Members:
    """Which code points beyond ASCII are in a class of RE2's syntax, without its brackets."""

    def build(limit: int) -> npt.NDArray[np.bool_]:
        table = np.zeros(limit, np.bool_)
        points, characters = _assigned(limit)
        found = pc.match_substring_regex(characters, f"[{character_class}]")
        table[points] = found.to_numpy(zero_copy_only=False)
        return table

    return Members(build)


@functools.cache
def script_letters(scripts: tuple[str, ...] = ()) -> Members:
    """Which code points beyond ASCII are letters of some scripts, or of any one script.

    Letters that scripts share (the Japanese sign for a long vowel, combining accents) belong to none.
    """

    def build(limit: int) -> npt.NDArray[np.bool_]:
        of_one = members(LETTER).below(limit) & ~members(r"\p{Common}\p{Inherited}").below(limit)
        wanted = [members(rf"\p{{{name}}}").below(limit) for name in scripts]
        return of_one & np.logical_or.reduce(wanted) if scripts else of_one

    return Members(build)


def is_script(name: str) -> bool:
    """Whether Unicode has a script of this name (`Han`, `Cyrillic`)."""
    try:
        pc.match_substring_regex(pa.array([""], pa.string()), rf"\p{{{name}}}")
    except pa.ArrowInvalid:
        return False
    return name[:1].isupper() and len(name) > 2


@functools.cache
def _assigned(limit: int) -> tuple[npt.NDArray[np.uint32], pa.StringArray]:
    """Code points beyond ASCII and below a limit that may have a property, and each as a text."""
    points = np.concatenate([np.arange(first, min(end, limit), dtype=np.uint32) for first, end in _ASSIGNED])
    return points, pa.array(list(points.tobytes().decode("utf-32-le")), pa.string())
