"""What was said in recordings in, a manifest out: an object a line, which preparation reads as a corpus of speech."""

from __future__ import annotations

import json
from collections.abc import Sequence

from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.objects import told
from seq2seq_core.inference.transcripts.terms import Spoken


class JsonlTranscripts(TranscriptFormat):
    """An object a recording; many recordings a file."""

    name = "jsonl"
    suffix = ".jsonl"
    together = 1000

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        rows = [{"audio_filepath": one.audio, "duration": round(one.seconds, 3), **told(one)} for one in recordings]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
