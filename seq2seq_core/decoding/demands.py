"""What the output of one source has to hold, whatever its probability: ids in, checked against a search, ids out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.errors import ConfigError

Ids = npt.NDArray[np.int32]

_FEWEST_BEAM = 2


@dataclass(frozen=True)
class Demand:
    """Of one source.

    Attributes:
        prefix: What its output begins with (target piece ids).
        phrases: What stands somewhere in it, each as a whole, in any order; none is empty.
    """

    prefix: tuple[int, ...] = ()
    phrases: tuple[tuple[int, ...], ...] = ()

    @property
    def tokens(self) -> int:
        """How many tokens are demanded: an output may be so much longer."""
        return len(self.prefix) + sum(map(len, self.phrases))

    def and_then(self, more: Demand) -> Demand:
        """Both, the prefix of the other behind this one."""
        return Demand(self.prefix + more.prefix, self.phrases + more.phrases)


NOTHING = Demand()


def check_demands(demands: Sequence[Demand], options: SearchConfig) -> None:
    """Make sure that a search can do what is demanded; else a ConfigError says what it would need."""
    if options.ctc_weight == 1 and any(demand.tokens for demand in demands):
        raise ConfigError(
            "the best path of CTC alone says what it says, and nothing can be demanded of it",
            where="search.ctc_weight",
            found=1,
            advice="Set it below 1.",
        )
    if (options.beam < _FEWEST_BEAM or options.sample) and any(demand.phrases for demand in demands):
        raise ConfigError(
            "phrases that outputs must have are found by a beam search alone",
            where="search.sample" if options.sample else "search.beam",
            found=options.sample or options.beam,
            expected=f"a beam of {_FEWEST_BEAM} or more, and no samples",
        )
