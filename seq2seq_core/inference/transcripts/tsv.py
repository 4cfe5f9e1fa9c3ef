"""What was said in a recording in, a segment a line with its times in milliseconds out."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.terms import Spoken


class TsvTranscripts(TranscriptFormat):
    """Begin, end and text, apart by tabs, behind a heading."""

    name = "tsv"
    suffix = ".tsv"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        rows = [
            (str(round(segment.begin * 1000)), str(round(segment.end * 1000)), " ".join(segment.text.split()))
            for recording in recordings
            for segment in recording.segments
        ]
        return "".join("\t".join(row) + "\n" for row in [("start", "end", "text"), *rows]).encode()
