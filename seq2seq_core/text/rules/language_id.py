"""A column of text in, the probability of each language for each text out: py3langid's model, for all rows at once.

py3langid walks an automaton over the bytes of one text in Python. Here all texts take their n-th step together, which
gives the same counts of features, and so the same probabilities, more than ten times as fast.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seq2seq_core.errors import ConfigError
from seq2seq_core.text.normalize import compose
from seq2seq_core.text.rules.texts import Ints, Texts

Probabilities = npt.NDArray[np.float32]

_WALK_AT_ONCE = 4096
_SCORE_AT_ONCE = 256  # their rows of the table of likelihoods stay in the processor's cache


class Identifier(NamedTuple):
    """A naive Bayes model over byte n-grams (Lui and Baldwin 2011), and the automaton that finds these.

    Attributes:
        labels: The languages (ISO 639), each once.
        columns: Which of them each class of the model belongs to, int64 [classes].
        moves: The next state, by `rows[state] * 256 + byte`, uint32.
        rows: The row of `moves` of each state, int64.
        features: The feature found on entering each state, -1 for none, int32.
        likelihoods: Logarithms by feature and class, float16.
        priors: Logarithms by class, float32.
    """

    labels: tuple[str, ...]
    columns: Ints
    moves: npt.NDArray[np.uint32]
    rows: Ints
    features: npt.NDArray[np.int32]
    likelihoods: npt.NDArray[np.float16]
    priors: npt.NDArray[np.float32]

    def probabilities(self, column: pa.StringArray) -> Probabilities:
        """The probability of each of `labels` for each text, float32 [n, labels].

        As py3langid's `norm_probs`: the logarithms divided by the square root of the text's bytes, then a softmax; a
        text without any feature has all classes equal.
        """
        texts = Texts(_prepared(column))
        order = np.argsort(-texts.bytes, kind="stable")
        result = np.zeros((len(texts), len(self.labels)), np.float32)
        for begin in range(0, len(texts), _WALK_AT_ONCE):
            rows = order[begin : begin + _WALK_AT_ONCE]
            for part, scores in self._scores(*self._walk(texts, rows), len(rows)):
                scaled = scores / np.sqrt(np.maximum(texts.bytes[rows[part]], 1)).astype(np.float32)[:, None]
                classes = np.exp(scaled - scaled.max(axis=1, keepdims=True))
                classes /= classes.sum(axis=1, keepdims=True)
                for index, label in enumerate(self.columns):
                    result[rows[part], label] += classes[:, index]
        return result

    def _walk(self, texts: Texts, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """Row (as a position in `rows`), feature, and how often: rising; the longest rows come first."""
        state = np.zeros(len(rows), np.int64)
        begins, lengths = texts.offsets[:-1][rows], texts.bytes[rows]
        found: list[Ints] = []
        going = np.searchsorted(-lengths, -np.arange(lengths.max(initial=0)), side="left")
        for step, count in enumerate(going):  # of bytes, not of rows
            byte = texts.data[begins[:count] + step]
            state[:count] = self.moves[(self.rows[state[:count]] << 8) + byte]
            feature = self.features[state[:count]]
            hits = np.flatnonzero(feature >= 0)
            found.append(hits * len(self.likelihoods) + feature[hits])
        keys, counts = np.unique(np.concatenate([*found, np.zeros(0, np.int64)]), return_counts=True)
        return keys // len(self.likelihoods), keys % len(self.likelihoods), counts

    def _scores(
        self, rows: Ints, features: Ints, counts: Ints, total: int
    ) -> Iterator[tuple[Ints, npt.NDArray[np.float32]]]:
        """Positions of rows, and the logarithm of each class for them, float32 [rows, classes]."""
        weights = np.log1p(counts.astype(np.float32))
        edges = np.searchsorted(rows, np.arange(total + 1))
        for begin in range(0, total, _SCORE_AT_ONCE):
            part = np.arange(begin, min(begin + _SCORE_AT_ONCE, total))
            first, end = edges[part[0]], edges[part[-1] + 1]
            scores = np.zeros((len(part), len(self.priors)), np.float32)
            has_any = edges[part + 1] > edges[part]
            if has_any.any():
                table = self.likelihoods[features[first:end]].astype(np.float32)
                table *= weights[first:end, None]
                sums = np.add.reduceat(table, edges[part][has_any] - first, axis=0)
                scores[has_any] = sums + self.priors
            yield part, scores


@functools.cache
def identifier() -> Identifier:
    """The model inside the package, read once a process (about a second).

    Raises:
        ConfigError: py3langid is not installed, or keeps its model in another way.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 (an optional dependency)
    except ImportError:
        raise ConfigError(
            "language identification needs py3langid", advice="pip install 'seq2seq[clean]', or switch `language` off."
        ) from None
    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    labels = tuple(dict.fromkeys(model.nb_classes))
    return Identifier(
        labels=labels,
        columns=np.array([labels.index(label) for label in model.nb_classes], np.int64),
        moves=np.asarray(model.tk_nextmove),
        rows=np.asarray(model.tk_row).astype(np.int64),
        features=np.asarray(model.tk_output, np.int32),
        likelihoods=np.asarray(model.nb_ptc),
        priors=np.asarray(model.nb_pc),
    )


def _prepared(column: pa.StringArray) -> pa.StringArray:
    """The texts as py3langid reads them: composed, and in lower case where all is in upper case."""
    upper = pc.utf8_is_upper(column)
    if pc.any(upper).as_py():
        column = pc.if_else(upper, pc.utf8_lower(column), column)
    return compose(column, "NFC")
