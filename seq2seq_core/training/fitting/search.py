"""What a batch of some size takes, as it is measured, in; the sizes to measure, up to the largest that fits, out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pydantic

MARGIN = 0.9
"""Of the memory there is so much may be taken: batches of other shapes, and validation, find a little more there."""
SLOWEST_SECONDS = 60.0
"""A step that takes longer is not made larger: it would win nothing, and measuring would not end."""

_MOST_TOKENS = 1 << 24
_FINEST = 1.1
_UNIT = 64


class Measured(pydantic.BaseModel):
    """Steps with a batch of the longest rows.

    Attributes:
        tokens: Padded tokens that a device may compute at once (`loader.max_tokens_per_device`).
        rows: Rows of the longest length that these are.
        length: That length, with EOS.
        memory: Most bytes that were in use; those that were there when they ran out.
        limit: Bytes that there are.
        seconds: Of a step; None where memory ran out.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    tokens: int
    rows: int
    length: int
    memory: int
    limit: int
    seconds: float | None

    @property
    def fits(self) -> bool:
        """Whether there is enough memory, and a little left."""
        return self.seconds is not None and self.memory <= MARGIN * self.limit


def search(measure: Callable[[int], Measured]) -> Iterator[Measured]:
    """Measure larger and larger sizes, then between the largest that fits and the smallest that does not.

    Args:
        measure: Measures a number of padded tokens; 0: the first, which is small.
    """
    fitting, too_large, wanted = 0, 0, 0
    while not too_large and wanted <= _MOST_TOKENS:
        found = measure(wanted)
        yield found
        if not found.fits:
            too_large = found.tokens
        elif (found.seconds or 0) > SLOWEST_SECONDS:
            return
        else:
            fitting, wanted = found.tokens, (4 if found.memory < found.limit / 8 else 2) * found.tokens
    while fitting and too_large > _FINEST * fitting:
        wanted = (fitting + too_large) // 2 // _UNIT * _UNIT
        if wanted <= fitting:
            return
        found = measure(wanted)
        yield found
        fitting, too_large = (wanted, too_large) if found.fits else (fitting, wanted)
