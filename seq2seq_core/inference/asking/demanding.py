"""An engine in; the same, of whose outputs something is demanded, by what each source says, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from seq2seq_core.decoding.demands import Demand
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Engine, PieceTokenizer, Source, TokenIds
from seq2seq_core.inference.asking.glossary import Glossary


class DemandingEngine:
    """Begins outputs with a prefix, and has phrases in them that a glossary finds for their sources.

    What is demanded follows from a source alone, so equal sources still have equal outputs.
    """

    def __init__(
        self,
        engine: Engine,
        source: PieceTokenizer,
        target: PieceTokenizer,
        prefix: str = "",
        glossary: Glossary | None = None,
        tags: int = 0,
    ) -> None:
        """Put the parts together; so many pieces in front of each source are tags, and no text."""
        self._engine, self._source, self._target = engine, source, target
        self._prefix = tuple(_pieces(target, prefix)) if prefix else ()
        self._glossary, self._tags = glossary, tags

    def generate(
        self, sequences: Sequence[Source], options: SearchConfig, demands: Sequence[Demand] = ()
    ) -> list[list[Hypothesis]]:
        """See `Engine.generate`; what the caller demands comes besides."""
        own = self.demands(sequences)
        both = [one.and_then(more) for one, more in zip(own, demands, strict=True)] if demands else own
        return self._engine.generate(sequences, options, both)

    def score(self, sequences: Sequence[Source], targets: Sequence[TokenIds]) -> list[npt.NDArray[np.float64]]:
        """See `Engine.score`."""
        return self._engine.score(sequences, targets)

    def demands(self, sequences: Sequence[Source]) -> list[Demand]:
        """What is demanded of the output of each source."""
        if self._glossary is None:
            return [Demand(self._prefix)] * len(sequences)
        texts = self._source.decode([ids[self._tags :] for ids in sequences])
        found = [self._glossary.find(text) for text in texts]
        phrases = list(dict.fromkeys(phrase for some in found for phrase in some))
        pieces = dict(zip(phrases, map(_tuple, self._target.encode(phrases)), strict=True))
        return [Demand(self._prefix, tuple(pieces[phrase] for phrase in some if pieces[phrase])) for some in found]


def _pieces(tokenizer: PieceTokenizer, text: str) -> tuple[int, ...]:
    return _tuple(tokenizer.encode([text])[0])


def _tuple(ids: TokenIds) -> tuple[int, ...]:
    return tuple(ids.tolist())
