"""An engine in; the same, whose hypotheses stand in the order of what they have in common, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Engine, PieceTokenizer, Source, TokenIds


class AgreeingEngine:
    """Chooses by minimum Bayes risk: first comes the hypothesis that all others are most like; see `metrics.risk`."""

    def __init__(self, engine: Engine, target: PieceTokenizer) -> None:
        """Take over an engine; `target` is its model's tokenizer."""
        from seq2seq_core.metrics.risk import by_agreement

        self._engine, self._target, self._order = engine, target, by_agreement

    def generate(
        self, sequences: Sequence[Source], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine.generate`; finished hypotheses stay before cut ones."""
        found = self._engine.generate(sequences, options, *([demands] if demands else []))
        texts = iter(self._target.decode([one.tokens for row in found for one in row]))
        ordered = [self._order([next(texts) for _ in row]) for row in found]
        return [
            sorted((row[place] for place in order), key=lambda one: not one.finished)
            for row, order in zip(found, ordered, strict=True)
        ]

    def score(self, sequences: Sequence[Source], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """See `Engine.score`."""
        return self._engine.score(sequences, targets)
