"""An engine in; the same, whose hypotheses stand in the order of what they have in common, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Engine, PieceTokenizer, Source, TokenIds


class AgreeingEngine:
    """Chooses by minimum Bayes risk: first comes the hypothesis that all others are most like; see `metrics.risk`.

    Samples count alike, as improbable ones are rare among them (Eikema and Aziz 2020); what a search has found, each by
    its probability.
    """

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
        weights = [np.ones(len(row)) if options.sample else probabilities(row, options) for row in found]
        ordered = self._order([[next(texts) for _ in row] for row in found], weights)
        return [
            sorted((row[place] for place in order), key=lambda one: not one.finished)
            for row, order in zip(found, ordered, strict=True)
        ]

    def score(self, sequences: Sequence[Source], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """See `Engine.score`."""
        return self._engine.score(sequences, targets)


def probabilities(hypotheses: Sequence[Hypothesis], options: SearchConfig) -> npt.NDArray[np.float64]:
    """How probable each would be if it were as long as they are on the average; float64, their sum is 1.

    A score is a log probability over length**length_penalty, so that short outputs win nothing by being short. Times
    the mean length to that power it is a log probability again, in which lengths still win nothing.
    """
    lengths = [len(one.tokens) + one.finished for one in hypotheses]
    logs = np.array([one.score for one in hypotheses]) * np.mean(lengths) ** options.length_penalty
    weights = np.exp(logs - logs.max())
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares
