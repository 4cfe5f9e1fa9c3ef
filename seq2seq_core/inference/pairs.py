"""Sources and given targets in, as texts; what a model thinks of each pair out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from seq2seq_core.engines.interface import Engine, PieceTokenizer, TokenIds
from seq2seq_core.inference.isolation import isolated
from seq2seq_core.text.column import TextColumn
from seq2seq_core.text.normalize import NormalizeConfig, normalize

_Pair = tuple[TokenIds, TokenIds]


@dataclass(frozen=True)
class PairScores:
    """What a model thinks of pairs, a value for each.

    Attributes:
        log_probability: Sum over the pieces of a target and its end, in nats (float64, NaN where there is no score).
        pieces: How many these are, the end among them (int64).
        reasons: Why pairs have no score, by their places.
    """

    log_probability: npt.NDArray[np.float64]
    pieces: npt.NDArray[np.int64]
    reasons: dict[int, str]

    @property
    def score(self) -> npt.NDArray[np.float64]:
        """The mean log probability of a piece: the cross-entropy in nats, with a minus sign (float64)."""
        return self.log_probability / self.pieces


@dataclass(frozen=True)
class PairScorer:
    """A model that is asked how probable a target is for its source.

    Attributes:
        engine: Gives probabilities.
        source: The tokenizer of sources.
        target: That of targets.
        normalization: What is done to both sides first, as was done to the training data.
        prefix: Piece ids in front of every source.
    """

    engine: Engine
    source: PieceTokenizer
    target: PieceTokenizer
    normalization: NormalizeConfig
    prefix: TokenIds

    def score(self, sources: Sequence[str], targets: Sequence[str]) -> PairScores:
        """Score thousands of pairs in one call; one that fails (too long for the model) fails alone.

        Raises:
            Seq2SeqError: The engine fails even on an empty pair.
        """
        source_ids = self.source.encode(self._normalized(sources))
        target_ids = self.target.encode(self._normalized(targets))
        pairs = [(np.concatenate([self.prefix, one]), other) for one, other in zip(source_ids, target_ids, strict=True)]
        empty = np.zeros(0, np.int32)
        found = isolated(self._run, pairs, (empty, empty), "pairs")
        totals = [float("nan") if isinstance(scores, str) else float(scores.sum()) for scores in found]
        reasons = {place: reason for place, reason in enumerate(found) if isinstance(reason, str)}
        return PairScores(np.array(totals), np.array([len(ids) + 1 for ids in target_ids], np.int64), reasons)

    def _run(self, pairs: Sequence[_Pair]) -> list[npt.NDArray[np.float64]]:
        return self.engine.score([source for source, _ in pairs], [target for _, target in pairs])

    def _normalized(self, texts: Sequence[str]) -> list[str]:
        found: list[str] = normalize(TextColumn(pa.array(texts, pa.string())), self.normalization).column.to_pylist()
        return found
