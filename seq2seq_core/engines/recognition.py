"""The interface of engines that hear: chunks of samples in, what is said in each, with times, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from seq2seq_core.audio.terms import Samples
from seq2seq_core.decoding.hypothesis import SearchConfig


class Word(NamedTuple):
    """A word, from where to where in seconds of the chunk, and its log probability where one is known."""

    text: str
    begin: float
    end: float
    score: float | None = None


class Recognized(NamedTuple):
    """What is said in a chunk.

    Attributes:
        text: All of it; empty where nothing is said.
        words: The same, cut at its spaces, with times.
        score: Mean log probability of the model's tokens; None where it has none.
        finished: False where the length limit cut the text.
        no_speech: How probable the model holds it that nobody speaks; None where it does not tell.
    """

    text: str
    words: tuple[Word, ...]
    score: float | None = None
    finished: bool = True
    no_speech: float | None = None


SILENCE = Recognized("", ())


class Recognizer(Protocol):
    """A model that is ready to hear. Batches and devices are its own affair and never change a result.

    Attributes:
        rate: Samples a second that it hears.
        longest: Seconds that a chunk may have.
        digest: Names the model.
    """

    @property
    def rate(self) -> int: ...

    @property
    def longest(self) -> float: ...

    @property
    def digest(self) -> str: ...

    def recognize(self, chunks: Sequence[Samples], options: SearchConfig) -> list[Recognized]:
        """What is said in each chunk; it may be empty."""
        ...


class SpeechModel(NamedTuple):
    """What is known of a model before it is loaded: its name in manifests, and where it comes from."""

    digest: str
    lineage: dict[str, Any] | None
