"""An engine and translated examples in, where its model looks in one of them out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_core.decoding.hypothesis import SearchConfig
from seq2seq_core.engines.interface import LoadedEngine
from seq2seq_core.report.data import AttentionMap, Example
from seq2seq_core.tokenizer.vocabulary import EOS_ID

_MAP_PIECES = 30


def attention_map(loaded: LoadedEngine, rows: Sequence[Example]) -> AttentionMap | None:
    """Where the model looks in the longest example that is translated exactly and still fits on a page."""
    sources = loaded.source_tokenizer.encode([row.source for row in rows])
    fitting = [i for i, pieces in enumerate(sources) if 0 < len(pieces) <= _MAP_PIECES]
    if not fitting:
        return None
    chosen = max(fitting, key=lambda i: (rows[i].is_exact, len(sources[i])))
    (hypotheses,) = loaded.engine.generate([sources[chosen]], SearchConfig(attention=True))
    best = hypotheses[0]
    if best.attention is None:
        return None
    ending = [EOS_ID] if best.finished else []
    return AttentionMap(
        tuple(loaded.source_tokenizer.pieces(np.append(sources[chosen], EOS_ID))),
        tuple(loaded.target_tokenizer.pieces(np.append(best.tokens, ending).astype(np.int64))),
        best.attention[: len(best.tokens) + len(ending)],
    )
