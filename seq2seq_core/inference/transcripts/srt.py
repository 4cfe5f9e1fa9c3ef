"""What was said in a recording in, subtitles as SubRip has them out."""

from __future__ import annotations

from collections.abc import Sequence

from seq2seq_core.inference.transcripts.cues import clock, cues_of
from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.terms import Spoken


class SrtTranscripts(TranscriptFormat):
    """Numbered cues, apart by an empty line."""

    name = "srt"
    suffix = ".srt"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        blocks = (
            f"{number}\n{clock(cue.begin, ',')} --> {clock(cue.end, ',')}\n" + "\n".join(cue.lines) + "\n"
            for number, cue in enumerate(cues_of(recordings), start=1)
        )
        return "\n".join(blocks).encode()
