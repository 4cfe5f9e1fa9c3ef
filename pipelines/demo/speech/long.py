"""Pieces of speech in, one long recording with pauses and noise, and the times of all that is said in it, out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from pipelines.demo.speech.recording import Recording, joined, noisy
from pipelines.demo.speech.writing import publish_own
from seq2seq_core import storage
from seq2seq_core.audio.terms import Samples

_SHORT_PAUSE: Final = (0.05, 0.4)
_LONG_PAUSE: Final = (0.8, 3.0)
_DIGITS: Final = 3


class Piece(NamedTuple):
    """What somebody says without a pause."""

    text: str
    speaker: str
    samples: Samples


Turn = Sequence[Piece]
"""Pieces that somebody says with short pauses between them."""


class Told(NamedTuple):
    """A recording and what is said in it, in order."""

    recording: Recording
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(piece.text for piece in self.pieces)

    def truth(self, name: str, path: str) -> dict[str, Any]:
        """Plain values: what it is called, where it is, what is said, and when, in seconds."""
        words = [
            {"text": piece.text, "speaker": piece.speaker, "begin": round(begin, _DIGITS), "end": round(end, _DIGITS)}
            for piece, (begin, end) in zip(self.pieces, self.recording.spans, strict=True)
        ]
        seconds = round(self.recording.seconds, _DIGITS)
        return {"id": name, "audio_filepath": path, "text": self.text, "duration": seconds, "words": words}


def tell(turn: Callable[[np.random.Generator], Turn], seconds: float, rate: int, seed: int, decibels: float) -> Told:
    """Turns one after the other with long pauses, until a recording is about so long; noise lies behind all of it.

    Args:
        turn: What is said next.
        seconds: The recording ends with the first turn that reaches so far, and a pause.
        rate: Samples a second.
        seed: What all chance comes from.
        decibels: How far the noise lies below the speech.
    """
    draw = np.random.default_rng(seed)
    pieces: list[Piece] = []
    pauses = [draw.uniform(*_LONG_PAUSE)]
    length = pauses[0]
    while length < seconds:
        for piece in turn(draw):
            pieces.append(piece)
            pauses.append(draw.uniform(*_SHORT_PAUSE))
            length += len(piece.samples) / rate + pauses[-1]
        longer = draw.uniform(*_LONG_PAUSE)
        length += longer - pauses[-1]
        pauses[-1] = longer
    whole = joined([piece.samples for piece in pieces], pauses, rate)
    return Told(noisy(whole, decibels, draw), tuple(pieces))


def publish_told(folder: str, name: str, told: Told) -> dict[str, Any]:
    """Write `name.flac` and `name.json`, the truth about it, which is returned."""
    truth = told.truth(name, f"{name}.flac")
    publish_own(storage.join(folder, f"{name}.flac"), told.recording.flac())
    publish_own(storage.join(folder, f"{name}.json"), (json.dumps(truth, ensure_ascii=False) + "\n").encode())
    return truth
