"""A hypothesis and the names of its pieces in, what a model says of each piece of an output, as plain values, out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2seq_core.decoding.hypothesis import Hypothesis
from seq2seq_core.documents.prediction import Pieces

END = "</s>"
"""What stands behind the pieces of a source, whatever a model calls it."""

_DECIMALS = 6


def told(source: Sequence[str], target: Sequence[str], hypothesis: Hypothesis) -> Pieces:
    """What an engine has said of the tokens of a hypothesis, rounded to what is worth keeping.

    Args:
        source: The names of the pieces that were read, without an end.
        target: Those of the output.
        hypothesis: The output.
    """
    scores, alignment, attention = hypothesis.token_scores, hypothesis.alignment, hypothesis.attention
    weights = None if attention is None else np.round(attention[: len(target)].astype(np.float64), _DECIMALS).tolist()
    return Pieces(
        source=(*source, END),
        target=tuple(target),
        scores=None if scores is None else tuple(np.round(scores, _DECIMALS).tolist()),
        alignment=None if alignment is None else tuple(alignment.tolist()),
        attention=None if weights is None else tuple(map(tuple, weights)),
    )
