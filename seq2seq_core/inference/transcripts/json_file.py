"""What was said in a recording in, a JSON object with segments, words, times and scores out."""

from __future__ import annotations

import json
from collections.abc import Sequence

from seq2seq_core.inference.transcripts.format import TranscriptFormat
from seq2seq_core.inference.transcripts.objects import told
from seq2seq_core.inference.transcripts.terms import Spoken


class JsonTranscripts(TranscriptFormat):
    """An object a file."""

    name = "json"
    suffix = ".json"

    def render(self, recordings: Sequence[Spoken]) -> bytes:
        """See `TranscriptFormat.render`."""
        rows = [{"audio": one.audio, "duration": round(one.seconds, 3), **told(one)} for one in recordings]
        return "".join(json.dumps(row, ensure_ascii=False, indent=1) + "\n" for row in rows).encode()
