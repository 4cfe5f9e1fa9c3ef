"""What was said in a recording in, subtitles as browsers read them (WebVTT) out."""

from __future__ import annotations

import html
from collections.abc import Sequence

from seq2seq_core.inference.transcripts.cues import clock, cues_of
from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.terms import Spoken


class VttTranscripts(TranscriptFormat):
    """Cues behind a heading, apart by an empty line."""

    name = "vtt"
    suffix = ".vtt"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        blocks = ["WEBVTT\n"]
        for cue in cues_of(recordings):
            text = html.escape("\n".join(cue.lines), quote=False)
            blocks.append(f"{clock(cue.begin, '.')} --> {clock(cue.end, '.')}\n{text}\n")
        return "\n".join(blocks).encode()
