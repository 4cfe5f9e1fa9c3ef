"""A property of characters in, a table to look code points up in out, built no further than it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

CODE_POINTS = 0x110000

_Mask = npt.NDArray[np.bool_]

_ALPHABETS = 0x3000  # below stand the scripts of all continents but the east of Asia, and nearly all signs


class Members:
    """Which code points have a property; most texts never ask for more than a hundredth of them."""

    def __init__(self, build: Callable[[int], _Mask]) -> None:
        """What `build` is: a function that gives the table of all code points below a limit, bool [limit]."""
        self._build = functools.cache(build)

    def __getitem__(self, points: npt.NDArray[np.integer[Any]] | int) -> Any:
        """Whether each of some code points has the property: bool, in their shape."""
        limit = _ALPHABETS if np.max(points, initial=0) < _ALPHABETS else CODE_POINTS
        return self._build(limit)[points]

    def below(self, limit: int = CODE_POINTS) -> _Mask:
        """The table of all code points below a limit, bool [limit]."""
        return self._build(limit)
