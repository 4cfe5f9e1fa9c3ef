"""What was said in a recording, as every format of transcripts is given it: segments of words, with times."""

from __future__ import annotations

from typing import NamedTuple

from seq2seq_core.engines.recognition import Word


class Segment(NamedTuple):
    """What was said without a pause; times in seconds of the recording.

    Attributes:
        score: Mean log probability of the model's tokens; None where it has none.
        cut: Whether the length limit ended the text, rather than the model.
        looping: Whether it says the same over and over.
    """

    begin: float
    end: float
    text: str
    words: tuple[Word, ...]
    score: float | None = None
    cut: bool = False
    looping: bool = False

    @property
    def glue(self) -> str:
        """What stands between its words: a space, or nothing where the text has none."""
        return " " if len(self.words) < 2 or any(letter.isspace() for letter in self.text.strip()) else ""


class Spoken(NamedTuple):
    """A recording: where it stands (`audio`), its name without suffix, and what was said in it.

    Attributes:
        failure: Why it, or a part of it, could not be transcribed; None where all of it was.
    """

    audio: str
    name: str
    seconds: float
    segments: tuple[Segment, ...]
    failure: str | None = None

    @property
    def text(self) -> str:
        """All of it, on one line."""
        return " ".join(" ".join(segment.text.split()) for segment in self.segments)
