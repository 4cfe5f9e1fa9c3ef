"""What was said in a recording in, its text alone out."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.terms import Spoken


class TxtTranscripts(TranscriptFormat):
    """A line a segment."""

    name = "txt"
    suffix = ".txt"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        texts = (segment.text for recording in recordings for segment in recording.segments)
        return "".join(" ".join(text.split()) + "\n" for text in texts).encode()
