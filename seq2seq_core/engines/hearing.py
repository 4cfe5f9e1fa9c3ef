"""Chunks of samples in, words with times out, by an engine that takes frames: what lies before and behind it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from seq2seq_core.audio.terms import Samples
from seq2seq_core.decoding.hypothesis import Hypothesis, SearchConfig
from seq2seq_core.engines.interface import Engine, PieceTokenizer
from seq2seq_core.engines.recognition import SILENCE, Recognized, Word
from seq2seq_core.modalities.sound import Sound
from seq2seq_core.tokenizer.words import MARK

USUAL_LONGEST = 30.0
"""Seconds of a chunk, where a model does not say what it was trained on."""


class ModelRecognizer:
    """An engine for frames, and what lies before and behind it."""

    def __init__(
        self, engine: Engine, sound: Sound, tokenizer: PieceTokenizer, digest: str, longest: int | None
    ) -> None:
        """Put the parts together; `longest` is the number of frames that the model was trained on."""
        self._engine, self._sound, self._tokenizer = engine, sound, tokenizer
        self._frame_seconds = sound.shift / sound.rate
        self.rate, self.digest = sound.rate, digest
        self.longest = min(longest * self._frame_seconds, USUAL_LONGEST) if longest else USUAL_LONGEST

    def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
        """See `Recognizer.recognize`."""
        aligned = options.model_copy(update={"align": True, "n_best": 1})
        frames = [self._sound.features(self._sound.as_stored(chunk)) for chunk in chunks]
        found = self._engine.generate(frames, aligned)
        return [self._recognized(*pair) for pair in zip(found, map(len, frames), strict=True)]

    def _recognized(self, found: list[Hypothesis], frames: int) -> Recognized:
        if not found:
            return SILENCE
        best = found[0]
        words = tuple(self._words(best, self._times(best, frames)))
        return Recognized(" ".join(word.text for word in words), words, _mean(best), best.finished)

    def _words(self, best: Hypothesis, times: npt.NDArray[np.float64]) -> list[Word]:
        """Pieces from one mark of a word's beginning to the next."""
        tokens, scores = best.tokens, best.token_scores
        pieces = self._tokenizer.pieces(tokens)
        begins = [0, *(place for place, piece in enumerate(pieces) if place and piece.startswith(MARK)), len(pieces)]
        groups = list(pairwise(begins)) if pieces else []
        texts = self._tokenizer.decode([tokens[begin:end] for begin, end in groups])
        return [
            Word(
                part,
                round(float(times[begin, 0]), 3),
                round(float(times[end - 1, 1]), 3),
                None if scores is None else float(scores[begin:end].sum()),
            )
            for (begin, end), text in zip(groups, texts, strict=True)
            for part in text.split()
        ]

    def _times(self, hypothesis: Hypothesis, frames: int) -> npt.NDArray[np.float64]:
        """Begin and end of each token in seconds; spread evenly where an engine does not tell."""
        if hypothesis.spans is not None:
            return np.asarray(hypothesis.spans, np.float64) * self._frame_seconds
        edges = np.linspace(0, frames * self._frame_seconds, len(hypothesis.tokens) + 1)
        return np.stack([edges[:-1], edges[1:]], axis=1)


def _mean(hypothesis: Hypothesis) -> float:
    """Log probability of a token, the end counted where it was reached."""
    return hypothesis.log_probability / max(1, len(hypothesis.tokens) + hypothesis.finished)
