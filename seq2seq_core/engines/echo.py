"""Piece ids in, the same piece ids out: the engine without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.config import EchoEngineConfig
from seq2seq_core.engines.interface import TokenIds
from seq2seq_core.errors import ModelError


class EchoEngine:
    """Returns each sequence as its one, certain hypothesis.

    Attributes:
        calls: Number of sequences of every call so far.
    """

    def __init__(self, config: EchoEngineConfig) -> None:
        self.calls: list[int] = []
        self._fail_on_piece = config.fail_on_piece

    def generate(self, sequences: Sequence[TokenIds], options: SearchConfig) -> list[list[Hypothesis]]:
        """See `Engine.generate`; a ModelError when a sequence holds the piece to fail on."""
        self.calls.append(len(sequences))
        if self._fail_on_piece is not None and any(self._fail_on_piece in sequence for sequence in sequences):
            raise ModelError("the echo engine was asked to fail on this piece", found=self._fail_on_piece)
        return [[_echo(sequence, options)] for sequence in sequences]


def _echo(sequence: TokenIds, options: SearchConfig) -> Hypothesis:
    attention = np.eye(len(sequence) + 1, dtype=np.float32) if options.attention else None
    return Hypothesis(sequence, score=0.0, log_probability=0.0, finished=True, attention=attention)
