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

from seq2seq_core.text.column import TextColumn, text_rows
from seq2seq_core.text.normalize import compose
from seq2seq_core.text.octets import Ints

Probabilities = npt.NDArray[np.float32]

_WALK_AT_ONCE = 4096
_SCORE_AT_ONCE = 32  # their rows of the table of likelihoods stay in the processor's cache
_FEATURES_STEP = 16


class Identifier(NamedTuple):
    """A naive Bayes model over byte n-grams (Lui and Baldwin 2011), and the automaton that finds these.

    Attributes:
        labels: The languages (ISO 639), each once.
        order: The classes of the model, those of a label together, int64 [classes].
        edges: Where in `order` those of each label begin, int64 [labels].
        moves: The next state, by `rows[state] * 256 + byte`, uint32.
        rows: The row of `moves` of each state, int64.
        features: The feature found on entering each state, -1 for none, int32.
        likelihoods: Logarithms by feature and class, float32.
        priors: Logarithms by class, float32.
    """

    labels: tuple[str, ...]
    order: Ints
    edges: Ints
    moves: npt.NDArray[np.uint32]
    rows: Ints
    features: npt.NDArray[np.int32]
    likelihoods: npt.NDArray[np.float32]
    priors: npt.NDArray[np.float32]

    def probabilities(self, column: pa.StringArray) -> Probabilities:
        """The probability of each of `labels` for each text, float32 [n, labels].

        As py3langid's `norm_probs`: the logarithms divided by the square root of the text's bytes, then a softmax; a
        text without any feature has all classes equal.
        """
        texts = _prepared(column)
        order = np.argsort(-texts.bytes, kind="stable")
        result = np.zeros((len(texts), len(self.labels)), np.float32)
        for begin in range(0, len(texts), _WALK_AT_ONCE):
            rows = order[begin : begin + _WALK_AT_ONCE]
            for part, scores in self._scores(*self._walk(texts, rows), len(rows)):
                scaled = scores / np.sqrt(np.maximum(texts.bytes[rows[part]], 1)).astype(np.float32)[:, None]
                classes = np.exp(scaled - scaled.max(axis=1, keepdims=True))
                classes /= classes.sum(axis=1, keepdims=True)
                result[rows[part]] = np.add.reduceat(classes[:, self.order], self.edges, axis=1)
        return result

    def _walk(self, texts: TextColumn, rows: Ints) -> tuple[Ints, Ints, Ints]:
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
        """Positions of rows, and the logarithm of each class for them, float32 [rows, classes].

        Rows are taken together by their number of features, rounded up: what is summed for a row, and in which
        order, so does not depend on the rows beside it.
        """
        weights = np.log1p(counts.astype(np.float32))
        edges = np.searchsorted(rows, np.arange(total + 1))
        sizes = np.diff(edges)
        steps = -(-sizes // _FEATURES_STEP)
        for step in np.unique(steps):
            alike = np.flatnonzero(steps == step)
            if step == 0:
                yield alike, np.zeros((len(alike), len(self.priors)), np.float32)
                continue
            for begin in range(0, len(alike), _SCORE_AT_ONCE):
                part = alike[begin : begin + _SCORE_AT_ONCE]
                slot = np.arange(step * _FEATURES_STEP)
                places = np.minimum(edges[part][:, None] + slot, len(features) - 1)  # [rows, slots]
                weight = np.where(slot < sizes[part][:, None], weights[places], np.float32(0))
                table = self.likelihoods[features[places]]  # [rows, slots, classes]
                yield part, np.matmul(weight[:, None, :], table)[:, 0] + self.priors


@functools.cache
def identifier() -> Identifier:
    """The model inside the package, read once a process (about a second)."""
    from py3langid.langid import (  # noqa: PLC0415 (where no language is asked for, it need not be installed)
        MODEL_FILE,
        LanguageIdentifier,
    )

    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    labels = tuple(dict.fromkeys(model.nb_classes))
    label_of_class = np.array([labels.index(label) for label in model.nb_classes], np.int64)
    return Identifier(
        labels=labels,
        order=np.argsort(label_of_class, kind="stable"),
        edges=np.searchsorted(np.sort(label_of_class), np.arange(len(labels))),
        moves=np.asarray(model.tk_nextmove),
        rows=np.asarray(model.tk_row).astype(np.int64),
        features=np.asarray(model.tk_output, np.int32),
        likelihoods=np.asarray(model.nb_ptc, np.float32),
        priors=np.asarray(model.nb_pc),
    )


def _prepared(column: pa.StringArray) -> TextColumn:
    """The texts as py3langid reads them: composed, and in lower case where all is in upper case."""
    texts = TextColumn(column)
    small = (texts.data - np.uint8(ord("a"))) < 26
    suspects = (texts.count(small) == 0) & (texts.bytes > 0)
    if suspects.any():
        rows = (text.lower() if text.isupper() else text for text in text_rows(column, suspects))
        texts = TextColumn(pc.replace_with_mask(column, pa.array(suspects), pa.array(list(rows), column.type)))
    return compose(texts, "NFC")
