"""The interface of inference engines: piece ids in, hypotheses out, in the order of the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig

TokenIds = npt.NDArray[np.int32]


class Engine(Protocol):
    """A model ready to generate. Batching, sorting and devices are its own affair and never change a result."""

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of each sequence of source piece ids (int32, without BOS and EOS, may be empty)."""
        ...
