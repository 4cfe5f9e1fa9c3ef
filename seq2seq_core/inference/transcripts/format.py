"""What a format of transcripts is: what was said in recordings in, the bytes of a file out.

A format is one file beside this one and one line in `table`. Nobody asks what a format is called.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

from seq2seq_core.inference.transcripts.terms import Spoken


class TranscriptFormat(abc.ABC):
    """How transcripts are written.

    Attributes:
        name: What configurations call it.
        suffix: What its files end in.
        together: How many recordings share a file at most; with one, the file is named after the recording.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    together: ClassVar[int] = 1

    @abc.abstractmethod
    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """A file; UTF-8, every line ended by `\\n`. A recording without speech has its place in it all the same."""
