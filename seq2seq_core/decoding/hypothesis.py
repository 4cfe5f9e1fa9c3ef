"""What search takes (SearchConfig) and what it returns (Hypothesis)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from seq2seq_core.config import Config

_LONGEST_OUTPUT = 1 << 20


class SearchConfig(Config):
    """How hypotheses are searched. The limits depend on the sentence alone, never on its batch."""

    beam: int = Field(5, ge=1, le=1024, description="hypotheses kept a sentence; 1 is greedy search")
    length_penalty: float = Field(
        1.0, ge=0, le=10, description="exponent p of the score: log probability / length**p (0 prefers short outputs)"
    )
    n_best: int = Field(1, ge=1, le=1024, description="hypotheses returned a sentence, best first")
    max_length_ratio: float = Field(
        2.0, gt=0, le=1000, description="an output ends after ratio * source length + extra tokens"
    )
    max_length_extra: int = Field(20, ge=1, le=1 << 20, description="see max_length_ratio")
    attention: bool = Field(False, description="return the attention of each output token over the source")

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchConfig:
        if self.n_best > self.beam:
            raise ValueError(f"n_best ({self.n_best}) is larger than beam ({self.beam})")
        return self

    def max_length(self, source_length: int) -> int:
        """Output tokens, EOS included, after which a hypothesis is cut; `source_length` counts pieces without EOS."""
        limit = min(self.max_length_ratio * source_length, float(_LONGEST_OUTPUT))  # no product is too large for an int
        return min(int(limit) + self.max_length_extra, _LONGEST_OUTPUT)


@dataclass(frozen=True)
class Hypothesis:
    """One output of search.

    Attributes:
        tokens: Piece ids (int32) without BOS and EOS.
        score: What the ranking goes by: `log_probability / length**length_penalty`, length with EOS.
        log_probability: Sum of the tokens' natural log probabilities, EOS included.
        finished: Whether EOS was reached; False when the length limit cut the output.
        attention: float32, a row for each token (EOS, where it was reached, included) x a column for each source piece
            and then EOS; None unless asked for.
    """

    tokens: npt.NDArray[np.int32]
    score: float
    log_probability: float
    finished: bool
    attention: npt.NDArray[np.float32] | None = None
